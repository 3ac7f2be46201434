// Runs a piece of JavaScript with the widgets' modules in Node: the request of scripts.py on stdin, what it returns on stdout.
import { readFileSync } from "node:fs";

const { addresses, networks, given, body } = JSON.parse(readFileSync(0, "utf-8"));
const modules = await Promise.all(addresses.map((address) => import(address)));
const { bytesOf, network } = modules[0], nets = {};
for (const [name, [spec, text]] of Object.entries(networks)) nets[name] = network(spec, bytesOf(text));
const seen = Object.assign({}, ...modules, { nets }, given);
const found = new Function(...Object.keys(seen), body)(...Object.values(seen));
console.log(JSON.stringify(found, (_, value) => (ArrayBuffer.isView(value) ? [...value] : value)));
