import { page } from "../../lib/record";

export const getServerSideProps = page("open");

export default function Page({ text }) {
  return <pre>{text}</pre>;
}
