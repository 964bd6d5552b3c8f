// How many gateways there are, who may reach them, who watches them, and objects of the user's own.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {describe, test} from 'node:test';
import {parse} from 'yaml';
import {allOf, ofKind} from './documents.mjs';
import {majors, refusal, render} from './helm.mjs';
import {typeErrors} from './kubernetes_types.mjs';
import {minimal, options, scaled} from './values.mjs';

for (const major of majors) {
  describe(`helm ${major}`, () => {
    const rendered = render(major, options);
    const withScaling = (autoscaling) => render(major, {...minimal, autoscaling: {enabled: true, ...autoscaling}});

    test('scales by streams, processor, memory and what else is named', () => {
      const metrics = (autoscaling) => ofKind(withScaling(autoscaling), 'HorizontalPodAutoscaler').spec.metrics
        .map(({type, pods, resource}) => [type, pods?.metric.name ?? resource?.name, resource?.target.averageUtilization].join(' ').trim());
      assert.deepEqual(metrics({}), ['Pods weir_clients', 'Resource cpu 80']);
      assert.deepEqual(metrics({clientsPerPod: null, memoryPercent: 75}), ['Resource cpu 80', 'Resource memory 75']);
      assert.deepEqual(metrics({cpuPercent: null, metrics: scaled.autoscaling.metrics}), ['Pods weir_clients', 'External']);
    });

    test('takes pods away late and one at a time, unless told otherwise', () => {
      const behavior = (values) => ofKind(withScaling({behavior: values}), 'HorizontalPodAutoscaler').spec.behavior;
      const {scaleDown} = behavior({});
      assert.deepEqual(scaleDown, {stabilizationWindowSeconds: 600, policies: [{type: 'Pods', value: 1, periodSeconds: 120}]});
      assert.deepEqual(behavior({scaleDown: {stabilizationWindowSeconds: 0}, scaleUp: {selectPolicy: 'Max'}}), {
        scaleDown: {...scaleDown, stabilizationWindowSeconds: 0}, scaleUp: {selectPolicy: 'Max'},
      });
    });

    test('scales by KEDA instead, which asks for the streams of the release alone', () => {
      assert.equal(ofKind(rendered, 'HorizontalPodAutoscaler'), undefined);
      assert.equal(ofKind(rendered, 'Deployment').spec.replicas, undefined);
      const {scaleTargetRef, minReplicaCount, maxReplicaCount, advanced, triggers} = ofKind(rendered, 'ScaledObject').spec;
      assert.equal(scaleTargetRef.name, ofKind(rendered, 'Deployment').metadata.name);
      assert.deepEqual([minReplicaCount, maxReplicaCount], [2, 5]);
      const {behavior} = advanced.horizontalPodAutoscalerConfig;
      assert.deepEqual([behavior.scaleDown.stabilizationWindowSeconds, behavior.scaleUp.stabilizationWindowSeconds], [600, 0]);
      assert.deepEqual(triggers.map(({type}) => type), ['prometheus', 'cpu', 'memory', 'cron']);
      assert.deepEqual(triggers[0].metadata, {
        serverAddress: 'http://prometheus:9090', query: 'sum(weir_clients{namespace="events",pod=~"r-weir-[a-z0-9]+-[a-z0-9]+"})', threshold: '5000',
        ignoreNullValues: 'false',
      });
      assert.deepEqual(triggers[0].authenticationRef, {name: 'prometheus'});
      assert.equal(triggers[1].metadata.value, '70');
    });

    test('budgets disruptions by one number, or not at all', () => {
      const budget = (podDisruptionBudget) => ofKind(render(major, {...minimal, podDisruptionBudget}), 'PodDisruptionBudget')?.spec;
      assert.equal(budget({}).maxUnavailable, 1);
      assert.equal(budget({maxUnavailable: 0}).maxUnavailable, 0);
      assert.equal(budget({maxUnavailable: null}), undefined);
      const {minAvailable, maxUnavailable, unhealthyPodEvictionPolicy} = ofKind(rendered, 'PodDisruptionBudget').spec;
      assert.deepEqual([minAvailable, maxUnavailable, unhealthyPodEvictionPolicy], ['50%', undefined, 'AlwaysAllow']);
    });

    test('adds rules to the network policy, and lets DNS out on both of its ports', () => {
      const {ingress, egress} = ofKind(rendered, 'NetworkPolicy').spec;
      assert.deepEqual(ingress.at(-1), options.networkPolicy.extraIngress[0]);
      assert.deepEqual(egress.at(-1), options.networkPolicy.extraEgress[0]);
      assert.deepEqual(egress[0].ports.map(({port, protocol}) => `${protocol} ${port}`).sort(), ['TCP 53', 'TCP 5353', 'UDP 53', 'UDP 5353']);
    });

    test('watches by the pods or by the Service, as Prometheus is told', () => {
      const {interval, scrapeTimeout, relabelings, metricRelabelings, namespace, labels, annotations} = options.podMonitor;
      const scraping = {interval, scrapeTimeout, relabelings, metricRelabelings};
      const services = (documents) => allOf(documents, 'Service').filter(({metadata}) => metadata.name === 'r-weir-admin').length;
      assert.equal(services(rendered), 0);
      const documents = render(major, {...minimal, serviceMonitor: options.podMonitor});
      assert.equal(services(documents), 1);
      for (const {metadata, spec} of [ofKind(rendered, 'PodMonitor'), ofKind(documents, 'ServiceMonitor')]) {
        assert.deepEqual((spec.podMetricsEndpoints ?? spec.endpoints), [{port: 'admin', path: '/metrics', ...scraping}]);
        assert.equal(metadata.namespace, namespace);
        assert.equal(metadata.labels.release, labels.release);
        assert.equal(metadata.annotations['example.com/a'], annotations['example.com/a']);
        assert.ok(['events', 'ns'].includes(spec.namespaceSelector.matchNames[0]), 'the pods stay where they are');
      }
    });

    test('alerts at the thresholds, and with the runbooks, that are named', () => {
      const rules = (documents) => Object.fromEntries(ofKind(documents, 'PrometheusRule').spec.groups[0].rules.map((rule) => [rule.alert, rule]));
      const own = rules(rendered);
      assert.equal(own.WeirRedisDown.for, '5m');
      assert.match(own.WeirNearlyFull.expr, /> 0\.7$/);
      assert.equal(own.WeirRedisDown.annotations.runbook_url, 'https://example.com/runbooks#weirredisdown');
      const standard = rules(render(major, {...minimal, prometheusRule: {enabled: true}}));
      assert.equal(standard.WeirRedisDown.for, '1m');
      assert.equal(standard.WeirRedisDown.annotations.runbook_url, 'docs/operations.md#weirredisdown');
    });

    test('puts the dashboard where Grafana looks for it', () => {
      const dashboard = {enabled: true, namespace: 'grafana', annotations: {grafana_folder: 'weir'}};
      const {metadata} = allOf(render(major, {...minimal, dashboard}), 'ConfigMap').find(({data}) => data['weir.json']);
      assert.equal(metadata.namespace, 'grafana');
      assert.deepEqual(metadata.annotations, {grafana_folder: 'weir'});
      assert.equal(metadata.labels.grafana_dashboard, '1');
    });

    test('renders objects of the user\'s own, with their templates', () => {
      const names = allOf(rendered, 'ConfigMap').map(({metadata}) => metadata.name);
      assert.ok(names.includes('r-weir-mine') && names.includes('r-weir-text'), names.join());
    });

    const refused = {
      'an autoscaler that scales by nothing': [{autoscaling: {enabled: true, clientsPerPod: null, cpuPercent: null}}, /by nothing/],
      'KEDA without Prometheus': [{autoscaling: {enabled: true, keda: {enabled: true}}}, /serverAddress/],
      'a budget of an unknown unit': [{podDisruptionBudget: {minAvailable: 'half'}}, /minAvailable/],
      'a time-out of Prometheus without a unit': [{serviceMonitor: {scrapeTimeout: '10'}}, /scrapeTimeout/],
      'a threshold that no alert has': [{prometheusRule: {enabled: true, thresholds: {redisDown: '5m'}}}, /no such threshold/],
      'a threshold with other characters': [{prometheusRule: {thresholds: {redisDownFor: '1 or vector(1)'}}}, /redisDownFor/],
    };
    for (const [name, [values, why]] of Object.entries(refused)) {
      test(`refuses ${name}`, () => assert.match(refusal(major, {...minimal, ...values}) ?? 'rendered', why));
    }
  });
}

test('the type check knows the monitors, the rules and the ScaledObject', () => {
  for (const [kind, spoil] of Object.entries({
    PodMonitor: ({spec}) => { spec.podMetricsEndpoints[0].intervall = '1s'; },
    PrometheusRule: ({spec}) => { spec.groups[0].rules[0].for = '1 minute'; },
    ScaledObject: ({spec}) => { spec.triggers[0].metadata.threshold = 1; },
  })) {
    const document = ofKind(render(majors[0], options), kind);
    assert.deepEqual(typeErrors([document]), []);
    spoil(document);
    assert.ok(typeErrors([document]).length > 0, kind);
  }
});

test('README.md has the adapter\'s rule for the metric that the autoscaler asks for', () => {
  const readme = readFileSync(new URL('../../helm/weir/README.md', import.meta.url), 'utf8');
  const [rule] = parse(/```yaml\n(rules:\n.*?)```/s.exec(readme)[1]).rules.custom;
  const {pods: {metric}} = ofKind(render(majors[0], scaled), 'HorizontalPodAutoscaler').spec.metrics[0];
  assert.equal(rule.name.as, metric.name);
  assert.ok(rule.seriesQuery.startsWith(`${metric.name}{`));
});
