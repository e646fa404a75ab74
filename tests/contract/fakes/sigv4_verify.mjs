// SPDX-License-Identifier: Apache-2.0
// Signs requests with the vendor's own package @smithy/signature-v4 and says what their Authorization has to be. Usage:
// node sigv4_verify.mjs FOLDER, where FOLDER holds node_modules. One JSON line a request on stdin, one on stdout:
// {method, path, query: [[name, value]], headers: {signed fields}, body: base64, key, secret, token, region, service, date}
// -> {authorization} or {fault}. Ends with its stdin.
import { createHash, createHmac } from "node:crypto";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { SignatureV4 } = createRequire(`${process.argv[2]}/package.json`)("@smithy/signature-v4");

// The hash that the package asks its user for.
class Sha256 {
  constructor(secret) {
    this.hash = secret === undefined ? createHash("sha256") : createHmac("sha256", secret);
  }
  update(data) {
    this.hash.update(data);
  }
  async digest() {
    return new Uint8Array(this.hash.digest());
  }
}

async function authorization(asked) {
  const query = {};
  for (const [name, value] of asked.query) {
    query[name] = name in query ? [].concat(query[name], value) : value;
  }
  const signer = new SignatureV4({
    credentials: { accessKeyId: asked.key, secretAccessKey: asked.secret, sessionToken: asked.token || undefined },
    region: asked.region,
    service: asked.service,
    sha256: Sha256,
    applyChecksum: "x-amz-content-sha256" in asked.headers, // else it would add and sign that field
  });
  const request = {
    method: asked.method,
    protocol: "https:",
    hostname: asked.headers.host,
    path: asked.path,
    query,
    headers: asked.headers,
    body: Buffer.from(asked.body, "base64"),
  };
  const signed = await signer.sign(request, {
    signingDate: new Date(asked.date),
    signableHeaders: new Set(Object.keys(asked.headers)), // fields that it leaves alone unless told
  });
  return signed.headers.authorization;
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = { authorization: await authorization(JSON.parse(line)) };
  } catch (fault) {
    answer = { fault: String(fault) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
