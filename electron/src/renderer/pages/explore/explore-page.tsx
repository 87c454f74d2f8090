// Explore: what was found. Without a path in the address, which score file to open.
import { useRoute } from "../../routing.js";
import { OpenScores } from "./open-scores.js";
import { ScoreExplorer } from "./score-explorer.js";
import "./explore.css";

export default function ExplorePage() {
  const params = useRoute()?.params ?? new URLSearchParams();
  const path = params.get("path");
  if (!path) return <OpenScores />;
  return <ScoreExplorer key={path} path={path} params={params} />;
}
