// Alerts, the dashboard and docs/operations.md speak of metrics that exist; the latter two of all of them.
import assert from 'node:assert/strict';
import {execFileSync, spawnSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, describe, test} from 'node:test';
import {stringify} from 'yaml';
import {cases} from './alerts.mjs';
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
  const {rules} = rule.spec.groups[0];
  const folder = mkdtempSync(join(tmpdir(), 'weir-alerts-'));
  after(() => rmSync(folder, {recursive: true}));
  const runbooks = [...read('docs/operations.md').matchAll(/^### (Weir\w+)$/gm)].map(([, name]) => name);

  for (const {alert, expr, annotations, labels} of rules) {
    test(`${alert} asks for metrics that exist, of the release's own pods`, () => {
      checkExpression(expr);
      assert.doesNotMatch(JSON.stringify({expr, annotations}).replaceAll(/\{\{.*?\}\}/g, ''), /\$/);
      for (const {labels: asked} of uses(expr)) {
        for (const label of ['namespace', 'pod']) assert.ok(asked.some((one) => one.label === label), expr);
      }
      assert.ok(annotations.summary && annotations.description);
      assert.ok(['warning', 'critical'].includes(labels.severity));
    });
    test(`${alert} has a runbook`, () => {
      const anchor = annotations.runbook_url.match(/docs\/operations\.md#(\w+)$/)?.[1];
      assert.ok(runbooks.some((name) => name.toLowerCase() === anchor), annotations.runbook_url);
    });
  }
  test('each runbook is of an alert', () => {
    const anchors = new Set(rules.map(({annotations}) => annotations.runbook_url.split('#')[1]));
    assert.deepEqual(runbooks.filter((name) => !anchors.has(name.toLowerCase())), []);
  });

  writeFileSync(join(folder, 'rules.yaml'), stringify({groups: rule.spec.groups}));
  test('promtool takes them', () => {
    execFileSync('promtool', ['check', 'rules', '--lint=all', '--lint-fatal', join(folder, 'rules.yaml')]);
  });
  test('each has a case in which it fires and one in which it does not', () => {
    for (const fires of [true, false]) {
      const covered = new Set(cases.filter((one) => one.fires === fires).map(({alert}) => alert));
      assert.deepEqual([...covered].sort(), rules.map(({alert}) => alert).sort());
    }
  });
  for (const [i, {alert, what, fires, minutes, series}] of cases.entries()) {
    test(`${alert} ${fires ? 'fires' : 'is silent'}: ${what}`, () => {
      const file = join(folder, `case-${i}.yaml`);
      writeFileSync(file, stringify({
        rule_files: ['rules.yaml'],
        evaluation_interval: '15s',
        tests: [{
          interval: '15s',
          input_series: Object.entries(series).map(([name, values]) => ({series: name, values})),
          promql_expr_test: [{
            expr: `count(ALERTS{alertname="${alert}",alertstate="firing"})`,
            eval_time: `${minutes * 60}s`,
            exp_samples: fires ? [{labels: '{}', value: 1}] : [],
          }],
        }],
      }));
      const run = spawnSync('promtool', ['test', 'rules', file], {encoding: 'utf8'});
      assert.equal(run.status, 0, `${run.error ?? ''}${run.stdout}${run.stderr}`);
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
