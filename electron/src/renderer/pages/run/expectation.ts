// What a field wants, as a sentence, from its JSON Schema.

export interface Property {
  type?: string;
  enum?: ReadonlyArray<unknown>;
  anyOf?: ReadonlyArray<Property>;
  items?: Property | boolean;
  prefixItems?: ReadonlyArray<Property>;
  description?: string;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  maxLength?: number;
}

/** "A whole number from 1 to 4096, or auto." */
export function expectationOf(property: Property): string {
  const wanted = phrase(property);
  return `${wanted.charAt(0).toUpperCase()}${wanted.slice(1)}.`;
}

function phrase(property: Property): string {
  if (property.anyOf) return property.anyOf.filter((one) => one.type !== "null").map(phrase).join(", or ");
  if (property.enum) return `one of ${property.enum.join(", ")}`.replace(/^one of (\w+)$/, "$1");
  if (property.prefixItems) return `two numbers${above(property.prefixItems[0] ?? {})}, like 1000 - 2000`;
  if (property.pattern !== undefined && property.description !== undefined) return property.description;
  switch (property.type) {
    case "integer":
      return `a whole number${above(property)}`;
    case "number":
      return `a number${above(property)}`;
    case "array":
      return typeof property.items === "object" && property.items.prefixItems ? "pairs of numbers, like 0 - 500, 3000 - 4000" : `a list of names${atMost(property.items)}`;
    case "object":
      return 'JSON in braces, like {"name": 1}';
    default:
      return `a text${atMost(property)}`;
  }
}

function above({ minimum, maximum, exclusiveMinimum }: Property): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`;
  if (exclusiveMinimum !== undefined) return ` above ${exclusiveMinimum}${maximum === undefined ? "" : `, up to ${maximum}`}`;
  return minimum === undefined ? "" : `, ${minimum} or more`;
}

function atMost(property: Property | boolean | undefined): string {
  if (typeof property !== "object" || property.maxLength === undefined) return "";
  return ` of at most ${property.maxLength} characters each`.replace(property.type === "string" ? " each" : "", "");
}
