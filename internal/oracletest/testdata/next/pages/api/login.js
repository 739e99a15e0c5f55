import { recordNode } from "../../lib/record";

export default function handler(request, response) {
  response.send(recordNode("login", request));
}
