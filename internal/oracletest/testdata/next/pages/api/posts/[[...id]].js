import { recordNode } from "../../../lib/record";

export default function handler(request, response) {
  const writes = request.method === "POST" || request.method === "DELETE";
  response.send(recordNode(writes ? "posts-write" : "posts-read", request));
}
