import { PageTitle } from "../../components/page-title.js";

export default function EnvironmentPage() {
  return <div className="page"><PageTitle title="Environment" /></div>;
}
