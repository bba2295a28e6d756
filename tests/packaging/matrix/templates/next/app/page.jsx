export default function Page() {
  return <p>sample</p>;
}
