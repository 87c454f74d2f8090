import { PageTitle } from "../../components/page-title.js";

export default function SettingsPage() {
  return <div className="page"><PageTitle title="Settings" /></div>;
}
