import { PageTitle } from "../../components/page-title.js";

export default function JobsPage() {
  return <div className="page"><PageTitle title="Jobs" /></div>;
}
