// What the chart's tests say to helm: render, lint, and what a render refused.
import {execFileSync, spawnSync} from 'node:child_process';
import {cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseAllDocuments} from 'yaml';
import {minimal} from './values.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
export const chart = fileURLToPath(new URL('../../helm/weir', import.meta.url));

export const majors = [3, 4];

// Calls helm with `values` in a file, as a user has them: numbers arrive as they do from YAML, not as from --set.
function helm(major, args, values) {
  const folder = mkdtempSync(join(tmpdir(), 'weir-helm-'));
  try {
    const file = join(folder, 'values.yaml');
    writeFileSync(file, JSON.stringify(values));  // JSON is YAML.
    const result = spawnSync(join(here, 'node_modules/.helm', String(major), 'helm'), [...args, '--values', file], {
      encoding: 'utf8',
      // Nothing of the user's own helm is read or written.
      env: {PATH: process.env.PATH, HOME: folder, HELM_CACHE_HOME: folder, HELM_CONFIG_HOME: folder, HELM_DATA_HOME: folder},
    });
    if (result.error) throw result.error;
    return result;
  } finally {
    rmSync(folder, {recursive: true});
  }
}

export function lint(major, values = minimal) {
  return helm(major, ['lint', '--strict', chart], values);
}

// What helm prints. Throws with helm's words when it refuses.
export function renderText(major, values = minimal, release = 'r', ...args) {
  const result = helm(major, ['template', release, chart, '--namespace', 'ns', ...args], values);
  if (result.status !== 0) throw new Error(result.stderr);
  return result.stdout;
}

// The documents of a chart that has the weir chart as a subchart, under `condition: weir.enabled`, and of its own one
// template, `text`: those of that template alone, or where there is no text all of them. `values` are those of the whole.
function renderParent(major, values, text) {
  const folder = mkdtempSync(join(tmpdir(), 'weir-chart-'));
  try {
    mkdirSync(join(folder, 'templates'));
    writeFileSync(join(folder, 'Chart.yaml'), 'apiVersion: v2\nname: around\nversion: 1.0.0\n' +
      'dependencies: [{name: weir, version: ">=0.1.0", condition: weir.enabled}]\n');
    if (text) writeFileSync(join(folder, 'templates/around.yaml'), text);
    cpSync(chart, join(folder, 'charts/weir'), {recursive: true});
    const only = text ? ['--show-only', 'templates/around.yaml'] : [];
    const result = helm(major, ['template', 'r', folder, ...only], values);
    if (result.status !== 0) throw new Error(result.stderr);
    return parse(result.stdout);
  } finally {
    rmSync(folder, {recursive: true});
  }
}

// What a template of a chart around this one renders.
export function renderAround(major, text, values = minimal, rest = {}) {
  return renderParent(major, {weir: values, ...rest}, text);
}

// What an umbrella chart renders.
export function renderUmbrella(major, values) {
  return renderParent(major, values);
}

// The rendered documents of the chart if it were of `version`.
export function renderAsVersion(major, version, values = minimal) {
  const folder = mkdtempSync(join(tmpdir(), 'weir-chart-'));
  try {
    cpSync(chart, folder, {recursive: true});
    const file = join(folder, 'Chart.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace(/^version: .*$/m, `version: ${version}`));
    const result = helm(major, ['template', 'r', folder, '--namespace', 'ns'], values);
    if (result.status !== 0) throw new Error(result.stderr);
    return parse(result.stdout);
  } finally {
    rmSync(folder, {recursive: true});
  }
}

// The rendered documents, parsed.
export function render(major, values = minimal, release = 'r', ...args) {
  return parse(renderText(major, values, release, ...args));
}

export function parse(text) {
  return parseAllDocuments(text)
      .map((document) => {
        if (document.errors.length) throw document.errors[0];
        return document.toJS();
      })
      .filter((document) => document !== null);
}

// What `helm install` tells the user.
export function notes(major, values = minimal) {
  const result = helm(major, ['install', 'r', chart, '--namespace', 'ns', '--dry-run=client'], values);
  if (result.status !== 0) throw new Error(result.stderr);
  return result.stdout.slice(result.stdout.indexOf('NOTES:'));
}

// Why helm refuses `values`: its error text, or undefined when it renders them after all.
export function refusal(major, values) {
  const result = helm(major, ['template', 'r', chart], values);
  return result.status === 0 ? undefined : result.stderr;
}

// The names of the settings that `broker --help` lists.
export function settingsOf(broker) {
  const help = execFileSync(broker, ['--help'], {encoding: 'utf8', env: {}});
  return new Set([...help.matchAll(/^\s*(?:-\w, ?)?--([a-z][a-z0-9-]*)/gm)].map((match) => match[1]));
}
