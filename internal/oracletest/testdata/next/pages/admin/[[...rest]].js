import { page } from "../../lib/record";

export const getServerSideProps = page("admin");

export default function Page({ text }) {
  return <pre>{text}</pre>;
}
