import { PageTitle } from "../../components/page-title.js";

export default function RunPage() {
  return <div className="page"><PageTitle title="Run" /></div>;
}
