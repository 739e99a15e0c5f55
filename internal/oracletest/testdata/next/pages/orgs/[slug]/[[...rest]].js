import { page } from "../../../lib/record";

export const getServerSideProps = page("orgs");

export default function Page({ text }) {
  return <pre>{text}</pre>;
}
