import { Group, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";

export function PageTitle({ title, subtitle, children }: { title: string; subtitle?: string; children?: ReactNode }) {
  return (
    <Group justify="space-between" align="flex-start" mb="lg" wrap="nowrap">
      <div>
        <Title order={1} size="h2">{title}</Title>
        {subtitle !== undefined && <Text className="quiet" mt={2}>{subtitle}</Text>}
      </div>
      {children !== undefined && <Group gap="xs" wrap="nowrap">{children}</Group>}
    </Group>
  );
}
