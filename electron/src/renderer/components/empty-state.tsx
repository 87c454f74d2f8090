import { Stack, Text, Title } from "@mantine/core";
import type { ComponentType, ReactNode } from "react";

interface Properties {
  Icon: ComponentType<{ size?: number; strokeWidth?: number }>;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}

/** What a list shows while there is nothing in it: what would be here, and how to get it. */
export function EmptyState({ Icon, title, children, action }: Properties) {
  return (
    <Stack align="center" justify="center" gap="sm" py={64} px="md" ta="center">
      <span className="quiet" aria-hidden><Icon size={44} strokeWidth={1.4} /></span>
      <Title order={3} size="h4">{title}</Title>
      {children !== undefined && <Text className="quiet" maw={460}>{children}</Text>}
      {action}
    </Stack>
  );
}
