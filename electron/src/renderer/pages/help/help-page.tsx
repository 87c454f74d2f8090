// Help: how to begin, the keys, and what the app is made of.
import { Anchor, List, Paper, Stack, Title } from "@mantine/core";
import { PageTitle } from "../../components/page-title.js";
import { addressOf } from "../../routing.js";
import { AboutCard } from "./about-card.js";
import { ShortcutsCard } from "./shortcuts-card.js";

export default function HelpPage() {
  return (
    <div className="page">
      <PageTitle title="Help" subtitle="From recordings to detections that you have looked at and heard." />
      <Stack className="reading" gap="lg">
        <Paper withBorder p="lg" component="section" aria-label="First steps">
          <Title order={2} size="h4" mb="sm">First steps</Title>
          <List type="ordered" spacing="xs">
            <List.Item><Anchor href={addressOf("environment")}>Install the environment</Anchor>, once. It brings what runs the models.</List.Item>
            <List.Item><Anchor href={addressOf("run")}>Start a run</Anchor>: choose recordings, a model and a folder for the scores. <Anchor href={addressOf("jobs")}>Jobs</Anchor> shows how far it is; a job that was stopped can be resumed.</List.Item>
            <List.Item><Anchor href={addressOf("explore")}>Explore the scores</Anchor>: see and hear the highest detections of every class, and save what you need.</List.Item>
          </List>
        </Paper>
        <ShortcutsCard />
        <AboutCard />
      </Stack>
    </div>
  );
}
