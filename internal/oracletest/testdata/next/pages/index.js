import { page } from "../lib/record";

export const getServerSideProps = page("home");

export default function Page({ text }) {
  return <pre>{text}</pre>;
}
