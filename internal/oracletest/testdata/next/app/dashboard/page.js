import { headers } from "next/headers";
import { record } from "../../lib/record";

export default async function Page() {
  const all = await headers();
  return <pre>{record("dashboard", { host: all.get("host") ?? "", headers: [...all] })}</pre>;
}
