// The keys that every page knows.
import { Group, Kbd, Paper, Table, Text, Title } from "@mantine/core";

const SHORTCUTS: ReadonlyArray<{ page: string; keys: ReadonlyArray<{ keys: ReadonlyArray<string>; what: string }> }> = [
  {
    page: "Explore",
    keys: [
      { keys: ["←", "→", "↑", "↓"], what: "go from card to card" },
      { keys: ["Space", "Enter"], what: "play, or stop" },
      { keys: ["o"], what: "open the clip" },
      { keys: ["PageUp", "PageDown"], what: "a screenful up or down" },
      { keys: ["Home", "End"], what: "first or last card" },
      { keys: ["Esc"], what: "stop the sound" },
    ],
  },
  {
    page: "Clip",
    keys: [
      { keys: ["Space"], what: "play, or stop" },
      { keys: ["←", "→"], what: "a quarter of the picture earlier or later" },
      { keys: ["+", "-"], what: "closer or further" },
      { keys: ["0"], what: "back to the detection with some context" },
      { keys: ["Esc"], what: "stop the sound, or go back" },
    ],
  },
  { page: "Jobs", keys: [{ keys: ["↑", "↓"], what: "go from job to job" }] },
];

export function ShortcutsCard() {
  return (
    <Paper withBorder p="lg" component="section" aria-label="Keys">
      <Title order={2} size="h4" mb="sm">Keys</Title>
      {SHORTCUTS.map(({ page, keys }) => (
        <div key={page}>
          <Text size="sm" fw={600} mt="xs">{page}</Text>
          <Table verticalSpacing={4} withRowBorders={false} aria-label={`Keys in ${page}`}>
            <Table.Tbody>
              {keys.map(({ keys: names, what }) => (
                <Table.Tr key={what}>
                  <Table.Td pl={0} w={220}><Group gap={4}>{names.map((name) => <Kbd key={name}>{name}</Kbd>)}</Group></Table.Td>
                  <Table.Td>{what}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
      ))}
    </Paper>
  );
}
