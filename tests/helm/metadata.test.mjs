// What Chart.yaml and the README tell Artifact Hub.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {test} from 'node:test';
import {parse} from 'yaml';

const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const chart = parse(read('helm/weir/Chart.yaml'));
const values = parse(read('helm/weir/values.yaml'));
const annotation = (name) => parse(chart.annotations[`artifacthub.io/${name}`]);

test('Chart.yaml says who made it, and from where, by one address', () => {
  const links = annotation('links').map(({name, url}) => { assert.ok(name); return url; });
  for (const url of [...chart.sources, ...links]) assert.ok(url.startsWith(chart.home), url);
  assert.match(chart.home, /^https:\/\/[^/]+(\/.*[^/])?$/);
  assert.ok(chart.maintainers[0].name && chart.keywords.length >= 5);
});

test('Chart.yaml has the license of the repository', () => {
  assert.ok(read('LICENSE').startsWith(`${annotation('license')} License`));
});

test('Chart.yaml names the images of the default values', () => {
  assert.deepEqual(annotation('images').map(({image}) => image), [`${values.image.repository}:${chart.appVersion}`, values.valkey.image]);
});

test('Chart.yaml tells changes of the kinds that Artifact Hub knows', () => {
  assert.ok(annotation('changes').length > 0);
  for (const {kind, description} of annotation('changes')) {
    assert.ok(['added', 'changed', 'deprecated', 'removed', 'fixed', 'security'].includes(kind), kind);
    assert.ok(description.length > 10);
  }
});

test('Chart.yaml carries its icon, an SVG', () => {
  const [, data] = /^data:image\/svg\+xml;base64,(.+)$/.exec(chart.icon);
  assert.match(Buffer.from(data, 'base64').toString(), /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox=.*<\/svg>$/);
});

test('the chart\'s README has no link that is dead outside of the repository', () => {
  for (const [, target] of read('helm/weir/README.md').matchAll(/\]\(([^)]+)\)/g)) assert.match(target, /^(https:|#)/);
});
