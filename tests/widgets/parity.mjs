// Runs networks of the pages' runtime in Node: {spec, weights (base64), points} on stdin, their outputs on stdout.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { bytesOf, network } = await import(pathToFileURL(process.argv[2]));
const { spec, weights, points } = JSON.parse(readFileSync(0, "utf-8"));
try {
  const run = network(spec, bytesOf(weights));
  const found = points.map((point) => Object.fromEntries(Object.entries(run(point)).map(([name, values]) => [name, [...values]])));
  console.log(JSON.stringify({ found }));
} catch (error) {
  console.log(JSON.stringify({ error: error.message }));
}
