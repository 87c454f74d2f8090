// One field of the form, with its help, its unit and what is wrong with it.
import { Button, Checkbox, Group, NativeSelect, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";
import { usePathPicker } from "../../components/path-picker.js";
import type { Field } from "./fields.js";

interface Properties {
  field: Field;
  text: string;
  problem: string | undefined;
  onChange: (text: string) => void;
}

/** What is missing is told once something was typed, or the field was left. */
export function FieldInput({ field, text, problem, onChange }: Properties) {
  const [isTouched, setTouched] = useState(false);
  const error = problem !== undefined && (isTouched || text !== "") ? problem : undefined;
  const label = field.unit ? `${field.label} (${field.unit})` : field.label;
  const common = { label, description: field.help, placeholder: field.placeholder ?? "", error, onBlur: () => setTouched(true) };
  if (field.kind === "choice") {
    return <NativeSelect label={label} description={field.help} value={text || (field.choices?.[0]?.value ?? "")} data={[...(field.choices ?? [])]} onChange={(event) => onChange(event.currentTarget.value)} />;
  }
  if (field.kind === "formats") return <Formats field={field} text={text} onChange={onChange} />;
  if (field.kind === "lines" || field.kind === "ranges") {
    return <Textarea {...common} autosize minRows={2} maxRows={8} value={text} onChange={(event) => onChange(event.currentTarget.value)} />;
  }
  if (field.kind === "path") return <PathInput {...common} field={field} text={text} onChange={onChange} />;
  return <TextInput {...common} value={text} onChange={(event) => onChange(event.currentTarget.value)} />;
}

function PathInput({ field, text, onChange, ...common }: { field: Field; text: string; onChange: (text: string) => void; label: string; description: string; placeholder: string; error: string | undefined; onBlur: () => void }) {
  const picker = usePathPicker();
  const choose = async () => {
    const [path] = await picker.choose({ what: field.extensions ? "file" : "folder", title: field.label, ...(field.extensions ? { extensions: field.extensions } : {}) });
    if (path) onChange(path);
  };
  return (
    <Group align="flex-end" gap="xs" wrap="nowrap" className="field-wide">
      <TextInput {...common} style={{ flex: 1 }} value={text} onChange={(event) => onChange(event.currentTarget.value)} inputWrapperOrder={["label", "description", "error", "input"]} />
      <Button variant="default" onClick={() => void choose()}>Choose…</Button>
      {picker.dialog}
    </Group>
  );
}

function Formats({ field, text, onChange }: { field: Field; text: string; onChange: (text: string) => void }) {
  const chosen = text === "none" ? [] : (text || "csv").split(",");
  return (
    <Checkbox.Group label={field.label} description={field.help} value={chosen} onChange={(values) => onChange(values.join(",") || "none")}>
      <Group mt={6} gap="md">
        <Checkbox value="csv" label="CSV (OpenSoundscape)" />
        <Checkbox value="parquet" label="Parquet" />
      </Group>
    </Checkbox.Group>
  );
}
