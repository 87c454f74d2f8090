import { PageTitle } from "../../components/page-title.js";

export default function ExplorePage() {
  return <div className="page"><PageTitle title="Explore" /></div>;
}
