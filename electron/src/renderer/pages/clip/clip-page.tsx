import { PageTitle } from "../../components/page-title.js";

export default function ClipPage() {
  return <div className="page"><PageTitle title="Clip" /></div>;
}
