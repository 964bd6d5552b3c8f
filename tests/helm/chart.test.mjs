// The chart as helm 3 and helm 4 see it: it lints, renders what Kubernetes takes, and refuses values that would end
// in a pod that can't start.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {describe, test} from 'node:test';
import {lint, majors, minimal, refusal, render, settingsOf} from './helm.mjs';
import {typeErrors} from './kubernetes_types.mjs';

const schema = JSON.parse(readFileSync(new URL('../../helm/weir/values.schema.json', import.meta.url)));

const everything = {
  ...minimal,
  image: {repository: 'example.com/team/weir', tag: '1.2.3', pullPolicy: 'Always'},
  imagePullSecrets: [{name: 'registry'}],
  replicaCount: 3,
  config: {
    'anonymous-subscribe': ['news.*', 'user:*'],
    'anonymous-publish': ['demo'],
    'history-bytes': 4194304,
    'drain-seconds': 90,
    'log-format': 'json',
    'console': 'off',
  },
  service: {type: 'LoadBalancer', port: 8080, annotations: {'example.com/a': 'b'}},
  serviceAccount: {create: true, name: 'gateway', annotations: {'example.com/role': 'x'}},
  podAnnotations: {'prometheus.io/scrape': 'true'},
  podLabels: {team: 'web'},
  nodeSelector: {'kubernetes.io/arch': 'amd64'},
  tolerations: [{key: 'dedicated', operator: 'Exists', effect: 'NoSchedule'}],
  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [
    {matchExpressions: [{key: 'a', operator: 'In', values: ['b']}]},
  ]}}},
  topologySpreadConstraints: [{
    maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway',
    labelSelector: {matchLabels: {'app.kubernetes.io/name': 'weir'}},
  }],
};

const ofKind = (documents, kind) => documents.find((document) => document.kind === kind);
const podOf = (documents) => ofKind(documents, 'Deployment').spec.template;
const containerOf = (documents) => podOf(documents).spec.containers[0];
const environmentOf = (documents) =>
    Object.fromEntries(containerOf(documents).env.map(({name, value, valueFrom}) => [name, value ?? valueFrom]));

for (const major of majors) {
  describe(`helm ${major}`, () => {
    for (const [name, values] of Object.entries({minimal, everything})) {
      test(`lints the chart strictly with ${name} values`, () => {
        const {status, stdout, stderr} = lint(major, values);
        assert.equal(status, 0, stdout + stderr);
      });

      test(`renders what Kubernetes' types take from ${name} values`, () => {
        const documents = render(major, values);
        assert.deepEqual(documents.map(({kind}) => kind).sort(), ['Deployment', 'Secret', 'Service', 'ServiceAccount']);
        assert.deepEqual(typeErrors(documents), []);
      });

      test(`renders documents that agree with each other from ${name} values`, () => {
        const documents = render(major, values);
        const deployment = ofKind(documents, 'Deployment');
        const labels = podOf(documents).metadata.labels;
        for (const selector of [deployment.spec.selector.matchLabels, ofKind(documents, 'Service').spec.selector]) {
          assert.ok(Object.keys(selector).length > 0);
          for (const [key, value] of Object.entries(selector)) assert.equal(labels[key], value);
        }
        const container = containerOf(documents);
        const ports = Object.fromEntries(container.ports.map((port) => [port.name, port.containerPort]));
        for (const {targetPort} of ofKind(documents, 'Service').spec.ports) assert.ok(targetPort in ports);
        for (const probe of ['readinessProbe', 'livenessProbe']) assert.equal(container[probe].httpGet.port, 'admin');
        const environment = environmentOf(documents);
        assert.equal(environment.WEIR_LISTEN, `0.0.0.0:${ports.http}`);
        assert.equal(environment.WEIR_ADMIN_LISTEN, `0.0.0.0:${ports.admin}`);
        const secret = ofKind(documents, 'Secret');
        const {secretKeyRef} = environment.WEIR_REDIS_URL;
        assert.equal(secretKeyRef.name, secret.metadata.name);
        assert.equal(secret.stringData[secretKeyRef.key], minimal.redis.url);
        assert.equal(podOf(documents).spec.serviceAccountName, ofKind(documents, 'ServiceAccount').metadata.name);
      });
    }

    test('writes a protocol beside every port, which a server-side apply needs', () => {
      const documents = render(major);
      const ports = [...containerOf(documents).ports, ...ofKind(documents, 'Service').spec.ports];
      assert.ok(ports.length >= 3);
      for (const port of ports) assert.equal(port.protocol, 'TCP');
    });

    test('gives the pod nothing that it does not need', () => {
      const {spec} = podOf(render(major));
      assert.equal(spec.enableServiceLinks, false);
      assert.equal(spec.automountServiceAccountToken, false);
      assert.equal(spec.securityContext.runAsNonRoot, true);
      assert.equal(spec.securityContext.seccompProfile.type, 'RuntimeDefault');
      const {securityContext} = spec.containers[0];
      assert.equal(securityContext.allowPrivilegeEscalation, false);
      assert.equal(securityContext.readOnlyRootFilesystem, true);
      assert.deepEqual(securityContext.capabilities.drop, ['ALL']);
    });

    test('asks /readyz whether to send clients and /healthz whether to restart', () => {
      const container = containerOf(render(major));
      assert.equal(container.readinessProbe.httpGet.path, '/readyz');
      assert.equal(container.livenessProbe.httpGet.path, '/healthz');
    });

    test('waits longer for the end of a pod than draining takes', () => {
      for (const [seconds, config] of [[10, {}], [90, {'drain-seconds': 90}]]) {
        const {spec} = podOf(render(major, {...minimal, config: {...minimal.config, ...config}}));
        assert.ok(spec.terminationGracePeriodSeconds > seconds);
      }
    });

    test('passes settings as the text that was written, large numbers and $(…) included', () => {
      const environment = environmentOf(render(major, {
        ...minimal,
        config: {...everything.config, 'redis-prefix': '$(HOME) "x": #', 'max-clients': 20000},
      }));
      assert.equal(environment.WEIR_HISTORY_BYTES, '4194304');
      assert.equal(environment.WEIR_MAX_CLIENTS, '20000');
      assert.equal(environment.WEIR_ANONYMOUS_SUBSCRIBE, 'news.*,user:*');
      assert.equal(environment.WEIR_CONSOLE, 'off');
      assert.equal(environment.WEIR_REDIS_PREFIX, '$$(HOME) "x": #');
    });

    test('takes the Redis URL from a Secret of the user and then makes none', () => {
      const documents = render(major, {...minimal, redis: {existingSecret: {name: 'mine', key: 'url'}}});
      assert.equal(ofKind(documents, 'Secret'), undefined);
      assert.deepEqual(environmentOf(documents).WEIR_REDIS_URL, {secretKeyRef: {name: 'mine', key: 'url'}});
    });

    test('keeps the password of Redis out of everything but the Secret', () => {
      for (const document of render(major)) {
        if (document.kind !== 'Secret') assert.ok(!JSON.stringify(document).includes('secret@'), document.kind);
      }
    });

    test('replaces the pods when the Redis URL changes', () => {
      const checksum = (url) => podOf(render(major, {...minimal, redis: {url}})).metadata.annotations['checksum/redis'];
      assert.notEqual(checksum('redis://a'), checksum('redis://b'));
    });

    test('renders one replica on the memory bus without Redis', () => {
      const documents = render(major, {...minimal, redis: {}, bus: 'memory', replicaCount: 1});
      assert.equal(ofKind(documents, 'Secret'), undefined);
      assert.equal(environmentOf(documents).WEIR_BUS, 'memory');
      assert.equal(environmentOf(documents).WEIR_REDIS_URL, undefined);
    });

    test('makes names that Kubernetes takes from any release name', () => {
      for (const release of ['weir', 'a'.repeat(53)]) {
        for (const {metadata} of render(major, minimal, release)) assert.match(metadata.name, /^[a-z0-9-]{1,63}$/);
      }
    });

    const refused = {
      'no Redis URL': [{...minimal, redis: {}}, /redis/],
      'two sources of the Redis URL': [{...minimal, redis: {...minimal.redis, existingSecret: {name: 'mine'}}}, /redis/],
      'a Redis URL of another scheme': [{...minimal, redis: {url: 'http://redis'}}, /url/],
      'a Redis URL with a line feed': [{...minimal, redis: {url: 'redis://a\nb: c'}}, /url/],
      'several replicas on the memory bus': [{...minimal, redis: {}, bus: 'memory', replicaCount: 2}, /replicaCount/],
      'a Redis URL beside the memory bus': [{...minimal, bus: 'memory', replicaCount: 1}, /redis/],
      'an unknown bus': [{...minimal, bus: 'kafka'}, /bus/],
      'nobody who may come': [{...minimal, config: {}}, /anonymous-subscribe/],
      'a misspelt value': [{...minimal, replicas: 2}, /replicas/],
      'a misspelt setting': [{...minimal, config: {...minimal.config, 'heartbeat-second': 15}}, /heartbeat-second/],
      'a setting that the chart owns': [{...minimal, config: {...minimal.config, listen: ':80'}}, /listen/],
      'a setting with a line feed': [{...minimal, config: {...minimal.config, 'redis-prefix': 'a\nb'}}, /redis-prefix/],
      'a comma inside a list item': [{...minimal, config: {'anonymous-subscribe': ['a,*']}}, /anonymous-subscribe/],
      'a negative number': [{...minimal, config: {...minimal.config, 'max-clients': -1}}, /max-clients/],
      'a drain that is not a number': [{...minimal, config: {...minimal.config, 'drain-seconds': '5'}}, /drain-seconds/],
      'replicas as text': [{...minimal, replicaCount: '2'}, /replicaCount/],
      'a port out of range': [{...minimal, service: {port: 70000}}, /port/],
      'an image with a space': [{...minimal, image: {repository: 'weir --privileged'}}, /repository/],
      'a name with capitals': [{...minimal, fullnameOverride: 'Weir'}, /fullnameOverride/],
      'a label that selects pods': [{...minimal, podLabels: {'app.kubernetes.io/name': 'x'}}, /podLabels/],
    };
    for (const [name, [values, why]] of Object.entries(refused)) {
      test(`refuses ${name}`, () => assert.match(refusal(major, values) ?? 'rendered', why));
    }
  });
}

describe('the type check', () => {
  test('sees a misspelt field and a wrong type', () => {
    const broken = render(majors[0]);
    ofKind(broken, 'Deployment').spec.replicass = 2;
    assert.match(typeErrors(broken).join('\n'), /replicass/);
    const mistyped = render(majors[0]);
    containerOf(mistyped).securityContext.readOnlyRootFilesystem = 'yes';
    assert.match(typeErrors(mistyped).join('\n'), /boolean/);
  });
});

test('the chart knows the settings of the gateway, all of them and no others',
     {skip: process.env.WEIR_BROKER ? false : 'the gateway is not built'}, () => {
       const ofTheChart = ['listen', 'admin-listen', 'bus', 'redis-url', 'config', 'help', 'version'];
       const known = [...settingsOf(process.env.WEIR_BROKER)].filter((name) => !ofTheChart.includes(name));
       assert.deepEqual([...schema.properties.config.propertyNames.enum].sort(), known.sort());
     });
