import { page } from "../../lib/record";

export const getServerSideProps = page("asset");

export default function Page({ text }) {
  return <pre>{text}</pre>;
}
