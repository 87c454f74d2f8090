import { PageTitle } from "../../components/page-title.js";

export default function HelpPage() {
  return <div className="page"><PageTitle title="Help" /></div>;
}
