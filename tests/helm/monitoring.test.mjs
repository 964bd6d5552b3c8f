// Alerts, the dashboard and docs/operations.md speak of metrics that exist; the latter two of all of them.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {describe, test} from 'node:test';
import {render} from './helm.mjs';
import {everything} from './values.mjs';

const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const valuesOf = Object.fromEntries([...read('docs/metrics.md').matchAll(/^\| `(\w+)` \| `\w+` \| (`.*`) \|$/gm)]
  .map(([, name, values]) => [name, values.replaceAll('`', '').split(', ')]));
const rows = [...read('docs/metrics.md').matchAll(/^\| `(\w+)` \| (counter|gauge|histogram) \| (.*?) *\|/gm)]
  .map(([, name, type, labels]) => ({name, type, labels: labels.replaceAll('`', '').split(', ').filter(Boolean)}));
// Prometheus' own, for each target.
const own = {name: 'up', type: 'gauge', labels: []};

// Names of metrics in PromQL, as they stand in docs/metrics.md, with the labels that are asked for.
function uses(expression) {
  const text = expression.replace(/\$__rate_interval/g, '5m');
  return [...text.matchAll(/\b((?:weir|process)_\w+|up)\b(?:\{([^}]*)\})?/g)].map(([, full, matchers]) => {
    const row = [...rows, own].find(({name, type}) => name === full ||
      (type === 'histogram' && [`${name}_bucket`, `${name}_sum`, `${name}_count`].includes(full)));
    const labels = [...(matchers ?? '').matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)]
      .map(([, label, , value]) => ({label, values: value.split('|')}));
    return {full, row, labels};
  });
}

function checkExpression(expression) {
  const found = uses(expression);
  assert.ok(found.length > 0, expression);
  for (const {full, row, labels} of found) {
    assert.ok(row, `${full} of ${expression} is no metric`);
    assert.equal(/_total$/.test(full), row.type === 'counter', full);
    for (const {label, values} of labels) {
      if (['namespace', 'pod'].includes(label)) continue;
      assert.ok(row.labels.includes(label), `${label} of ${full}`);
      for (const value of values) assert.ok(valuesOf[row.name]?.includes(value), `${label}="${value}" of ${full}`);
    }
  }
  const pairs = [['(', ')'], ['{', '}'], ['[', ']']];
  for (const [open, close] of pairs) assert.equal(expression.split(open).length, expression.split(close).length, expression);
  for (const [, grouping] of expression.matchAll(/\bby \(([^)]*)\)/g)) {
    for (const label of grouping.split(',').map((text) => text.trim())) {
      assert.ok(['namespace', 'pod', 'le', ...found.flatMap(({row}) => row.labels)].includes(label), `by (${label}): ${expression}`);
    }
  }
}

test('docs/metrics.md is read', () => assert.ok(rows.length >= 29));

test('the check sees a metric and a label that do not exist', () => {
  const wrongs = ['rate(weir_nonsense_total[5m])', 'weir_clients{reason="x"}', 'sum by (color) (weir_clients)',
    'rate(weir_gaps_total{reason="boredom"}[5m])'];
  for (const wrong of wrongs) {
    assert.throws(() => checkExpression(wrong), wrong);
  }
});

describe('the alerts', () => {
  const rule = render(4, everything).find(({kind}) => kind === 'PrometheusRule');
  for (const {alert, expr, annotations, labels} of rule.spec.groups[0].rules) {
    test(`${alert} asks for metrics that exist, of the release's own pods`, () => {
      checkExpression(expr);
      assert.doesNotMatch(expr, /\$/);
      for (const {labels: asked} of uses(expr)) {
        for (const label of ['namespace', 'pod']) assert.ok(asked.some((one) => one.label === label), expr);
      }
      assert.ok(annotations.summary && annotations.description);
      assert.ok(['warning', 'critical'].includes(labels.severity));
    });
  }
});

describe('the dashboard', () => {
  const text = read('helm/weir/files/dashboard.json');
  const dashboard = JSON.parse(text);
  const panels = dashboard.panels.filter(({type}) => type !== 'row');
  for (const panel of panels) {
    test(`"${panel.title}" shows metrics that exist`, () => {
      assert.ok(panel.targets.length > 0);
      for (const {expr} of panel.targets) checkExpression(expr);
    });
  }
  test('shows every metric', () => {
    const shown = new Set(panels.flatMap(({targets}) => targets.flatMap(({expr}) => uses(expr).map(({row}) => row.name))));
    assert.deepEqual(rows.map(({name}) => name).filter((name) => !shown.has(name)), []);
  });
  test('has no two panels at one place', () => {
    assert.equal(new Set(dashboard.panels.map(({id}) => id)).size, dashboard.panels.length);
    for (const a of dashboard.panels) {
      for (const b of dashboard.panels) {
        const [p, q] = [a.gridPos, b.gridPos];
        const isApart = p.x + p.w <= q.x || q.x + q.w <= p.x || p.y + p.h <= q.y || q.y + q.h <= p.y;
        assert.ok(a === b || isApart, `${a.title} and ${b.title}`);
      }
    }
  });
  test('goes into its ConfigMap as it is', () => {
    const map = render(4, everything).find(({metadata}) => metadata.name === 'r-weir-dashboard');
    assert.deepEqual(JSON.parse(map.data['weir.json']), dashboard);
  });
});

test('docs/operations.md says of every metric what to do when it moves, and of no other', () => {
  const described = [...read('docs/operations.md').matchAll(/^\| `((?:weir|process)_\w+)` \| (.{20,}) \|$/gm)].map(([, name]) => name);
  assert.deepEqual(described, rows.map(({name}) => name));
});
