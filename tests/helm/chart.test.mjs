// The chart as helm 3 and helm 4 see it: it lints, renders what Kubernetes takes, and refuses values that would end
// in a pod that can't start.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {describe, test} from 'node:test';
import {lint, majors, notes, refusal, render, renderAround, renderAsVersion, settingsOf} from './helm.mjs';
import {typeErrors} from './kubernetes_types.mjs';
import {combinations, everything, memory, minimal, scaled, trial, valkey} from './values.mjs';

const schema = JSON.parse(readFileSync(new URL('../../helm/weir/values.schema.json', import.meta.url)));

// The gateway's document of a kind, of which there may be others for its companions.
const ofKind = (documents, kind) =>
  documents.find((document) => document.kind === kind && !/-(away|valkey|demo|log)$/.test(document.metadata.name));
const podOf = (documents) => ofKind(documents, 'Deployment').spec.template;
const containerOf = (documents) => podOf(documents).spec.containers[0];
// The gateway's environment: of the ConfigMap that it names, and its own.
const environmentOf = (documents) => ({
  ...Object.assign({}, ...containerOf(documents).envFrom.map(({configMapRef}) =>
    documents.find(({kind, metadata}) => kind === 'ConfigMap' && metadata.name === configMapRef.name)?.data)),
  ...Object.fromEntries((containerOf(documents).env ?? []).map(({name, value, valueFrom}) => [name, value ?? valueFrom])),
});
const podsOf = (documents) => documents.flatMap((document) =>
  document.kind === 'Pod' ? [document] : document.kind === 'Deployment' ? [document.spec.template] : []);
const isSelected = (selector, labels) => Object.entries(selector).every(([key, value]) => labels[key] === value);

for (const major of majors) {
  describe(`helm ${major}`, () => {
    for (const [name, values] of Object.entries(combinations)) {
      test(`lints the chart strictly with ${name} values`, () => {
        const {status, stdout, stderr} = lint(major, values);
        assert.equal(status, 0, stdout + stderr);
      });

      test(`renders what Kubernetes' types take from ${name} values`, () => {
        const own = render(major, values);
        assert.ok(own.length > 5);
        assert.deepEqual(typeErrors(own), []);
      });

      test(`renders documents that agree with each other from ${name} values`, () => checkAgreement(render(major, values)));

      test(`confines every container of ${name} values`, () => {
        const pods = podsOf(render(major, values));
        assert.ok(pods.length >= 2);
        for (const {spec} of pods) {
          assert.equal(spec.enableServiceLinks, false);
          assert.equal(spec.automountServiceAccountToken, false);
          assert.equal(spec.securityContext.runAsNonRoot, true);
          assert.ok(spec.securityContext.runAsUser > 0);
          assert.equal(spec.securityContext.seccompProfile.type, 'RuntimeDefault');
          for (const {securityContext, resources} of spec.containers) {
            assert.equal(securityContext.allowPrivilegeEscalation, false);
            assert.equal(securityContext.readOnlyRootFilesystem, true);
            assert.deepEqual(securityContext.capabilities.drop, ['ALL']);
            assert.ok(resources.limits.memory && resources.requests.cpu);
          }
        }
      });
    }

    test('renders a trial from no values: a Valkey, one gateway, and demo.* alone', () => {
      for (const values of [{}, {publishers: {demo: {enabled: true}}}, {config: {'heartbeat-seconds': 5}}, {valkey: {enabled: true}}]) {
        const documents = render(major, values);
        const environment = environmentOf(documents);
        assert.equal(environment.WEIR_ANONYMOUS_SUBSCRIBE, 'demo.*');
        assert.equal(environment.WEIR_ANONYMOUS_PUBLISH, 'demo.*');
        assert.equal(environment.WEIR_REDIS_URL, 'redis://r-weir-valkey:6379');
        assert.equal(environment.WEIR_DRAIN_RETRY_MS, undefined);
        assert.equal(ofKind(documents, 'Deployment').spec.replicas, 1);
        assert.ok(documents.some(({kind, metadata}) => kind === 'Deployment' && metadata.name === 'r-weir-valkey'));
      }
    });

    // Each with the words of what is missing then.
    const noRedis = /there is no Redis: set redis\.url or redis\.existingSecret/;
    const nobody = /nobody may subscribe or publish: set config\.anonymous-subscribe/;
    const endsTheTrial = {
      'redis.url': [{redis: {url: 'redis://a'}}, nobody],
      'redis.existingSecret': [{redis: {existingSecret: {name: 'a'}}}, nobody],
      'redis.passwordSecret': [{redis: {passwordSecret: {name: 'a'}}}, noRedis],
      'redis.caSecret': [{redis: {caSecret: {name: 'a'}}}, noRedis],
      'redis.certificateSecret': [{redis: {certificateSecret: 'a'}}, noRedis],
      'bus: redis': [{bus: 'redis'}, noRedis],
      'bus: memory': [{bus: 'memory'}, nobody],
      'keys.files': [{keys: {files: {a: 'b'}}}, noRedis],
      'keys.existingSecret': [{keys: {existingSecret: 'a'}}, noRedis],
      'config.jwks-file': [{config: {'jwks-file': '/etc/weir/keys/a'}}, noRedis],
      'config.jwt-secret-file': [{config: {'jwt-secret-file': '/etc/weir/keys/a'}}, noRedis],
      'config.jwt-public-key-file': [{config: {'jwt-public-key-file': '/etc/weir/keys/a'}}, noRedis],
      'config.anonymous-subscribe': [{config: {'anonymous-subscribe': ['demo.*']}}, noRedis],
      'config.anonymous-publish': [{config: {'anonymous-publish': ['demo.*']}}, noRedis],
      'a variable with a Redis URL': [{extraEnv: [{name: 'WEIR_REDIS_URL', value: 'redis://a'}]}, noRedis],
      'variables of a Secret': [{extraEnvFrom: [{secretRef: {name: 'a'}}]}, noRedis],
      'an empty rule': [{config: {'anonymous-publish': []}}, noRedis],
      'a key with the chart\'s Valkey': [{keys: {files: {a: 'b'}}, valkey: {enabled: true}}, nobody],
    };
    for (const [name, [values, why]] of Object.entries(endsTheTrial)) {
      test(`opens nothing with ${name}, and says what is missing`, () => assert.match(refusal(major, values) ?? 'rendered', why));
    }

    test('runs two gateways outside of a trial, and tells who must move to come back soon', () => {
      const seen = (values) => {
        const documents = render(major, {...minimal, ...values});
        return [ofKind(documents, 'Deployment').spec.replicas, environmentOf(documents).WEIR_DRAIN_RETRY_MS];
      };
      assert.deepEqual(seen({}), [2, '400']);
      assert.deepEqual(seen({replicaCount: ''}), [2, '400']);
      assert.deepEqual(seen({replicaCount: 1}), [1, undefined]);
      assert.deepEqual(seen({replicaCount: 0}), [0, undefined]);
      assert.deepEqual(seen({config: {...minimal.config, 'drain-retry-ms': 0}}), [2, '0']);
      assert.deepEqual(seen({autoscaling: {enabled: true}}), [undefined, '400']);
      assert.deepEqual(seen({redis: {}, bus: 'memory'}), [1, undefined]);
    });

    test('publishes where a trial may read', () => {
      const channels = (values) => podsOf(render(major, values)).flatMap(({spec}) => spec.containers).flatMap(({env}) => env ?? [])
        .filter(({name}) => name === 'WEIR_CHANNEL').map(({value}) => value);
      const publishers = {demo: {enabled: true}, log: {enabled: true}};
      assert.deepEqual(channels({publishers}), ['demo.stream', 'demo.stream2']);
      assert.deepEqual(channels({...minimal, publishers}), ['stream', 'stream2']);
    });

    test('writes a protocol beside every port, which a server-side apply needs', () => {
      const documents = render(major, valkey);
      const ports = documents.flatMap(({kind, spec}) => kind === 'Service' ? spec.ports :
        kind === 'Deployment' ? spec.template.spec.containers.flatMap((container) => container.ports ?? []) : []);
      assert.ok(ports.length >= 5);
      for (const port of ports) assert.equal(port.protocol, 'TCP');
    });

    test('writes channels with a history as the gateway reads them', () => {
      const config = {...minimal.config, durable: ['user:*', 'a'], 'durable-messages': 50};
      const channels = [{match: 'b', durable: true, 'durable-seconds': 0}, {match: 'c', source: 'stream', 'stream-key': 'logs:{channel}'}];
      const maps = render(major, {...minimal, config, channels}).filter(({kind}) => kind === 'ConfigMap');
      const data = Object.assign({}, ...maps.map((map) => map.data));
      assert.equal(data.WEIR_DURABLE, 'user:*,a');
      assert.equal(data.WEIR_DURABLE_MESSAGES, '50');
      assert.match(data['weir.toml'], /^durable = true\ndurable-seconds = 0\nmatch = "b"$/m);
      assert.match(data['weir.toml'], /^match = "c"\nsource = "stream"\nstream-key = "logs:\{channel\}"$/m);
    });

    test('lets its Valkey evict nothing, and keep histories on a volume where it is told to', () => {
      const of = (values) => {
        const documents = render(major, {...valkey, valkey: {enabled: true, ...values}});
        const {spec} = documents.find(({kind, metadata}) => kind === 'Deployment' && metadata.name === 'r-weir-valkey').spec.template;
        const claim = documents.find(({kind}) => kind === 'PersistentVolumeClaim');
        return {command: spec.containers[0].command.join(' '), volume: spec.volumes[0], claim};
      };
      const plain = of({});
      assert.match(plain.command, /--appendonly no .*--maxmemory-policy noeviction --maxmemory 134217728$/);
      assert.ok(plain.volume.emptyDir);
      assert.equal(plain.claim, undefined);
      assert.doesNotMatch(of({resources: null}).command, /--maxmemory /);
      const kept = of({persistence: {enabled: true, size: '2Gi', storageClassName: 'fast'}});
      assert.match(kept.command, /--appendonly yes /);
      assert.equal(kept.volume.persistentVolumeClaim.claimName, kept.claim.metadata.name);
      assert.equal(kept.claim.metadata.annotations['helm.sh/resource-policy'], 'keep');
      assert.equal(kept.claim.spec.resources.requests.storage, '2Gi');
      assert.equal(kept.claim.spec.storageClassName, 'fast');
      const mine = of({persistence: {enabled: true, existingClaim: 'mine'}});
      assert.equal(mine.volume.persistentVolumeClaim.claimName, 'mine');
      assert.equal(mine.claim, undefined);
    });

    test('asks /readyz whether to send clients and /healthz whether to restart', () => {
      const container = containerOf(render(major));
      assert.equal(container.readinessProbe.httpGet.path, '/readyz');
      assert.equal(container.livenessProbe.httpGet.path, '/healthz');
    });

    test('waits longer for the end of a pod than draining takes', () => {
      for (const [seconds, config] of [[10, {}], [90, {'drain-seconds': 90}]]) {
        const {spec} = podOf(render(major, {...minimal, config: {...minimal.config, ...config}, preStopSeconds: 30}));
        assert.deepEqual(spec.containers[0].lifecycle.preStop.exec.command, ['weir-broker', '--sleep', '30']);
        assert.ok(spec.terminationGracePeriodSeconds > 30 + seconds);
      }
      assert.equal(containerOf(render(major, {...minimal, preStopSeconds: 0})).lifecycle, undefined);
      assert.equal(podOf(render(major, {...minimal, terminationGracePeriodSeconds: 660})).spec.terminationGracePeriodSeconds, 660);
      const own = {preStop: {httpGet: {path: '/stop', port: 'admin'}}};
      assert.deepEqual(containerOf(render(major, {...minimal, lifecycle: own})).lifecycle, own);
      const start = {postStart: {exec: {command: ['true']}}};
      assert.deepEqual(Object.keys(containerOf(render(major, {...minimal, lifecycle: start})).lifecycle).sort(), ['postStart', 'preStop']);
    });

    test('starts all new gateways before an old one leaves, unless it is told otherwise', () => {
      const specOf = (values) => ofKind(render(major, {...minimal, ...values}), 'Deployment').spec;
      assert.deepEqual(specOf({}).strategy, {type: 'RollingUpdate', rollingUpdate: {maxUnavailable: 0, maxSurge: '100%'}});
      assert.deepEqual(specOf({strategy: {rollingUpdate: {maxSurge: 1}}}).strategy,
                       {type: 'RollingUpdate', rollingUpdate: {maxUnavailable: 0, maxSurge: 1}});
      assert.deepEqual(specOf({strategy: {type: 'Recreate'}}).strategy, {type: 'Recreate'});
      assert.equal(specOf({minReadySeconds: 7}).minReadySeconds, 7);
    });

    test('lays probes of the user over its own', () => {
      const container = containerOf(render(major, {
        ...minimal, readinessProbe: {periodSeconds: 9}, startupProbe: {failureThreshold: 30},
        livenessProbe: {exec: {command: ['weir-broker', '--healthcheck']}},
      }));
      assert.deepEqual(container.readinessProbe,
                       {httpGet: {path: '/readyz', port: 'admin'}, periodSeconds: 9, timeoutSeconds: 2, failureThreshold: 2});
      assert.deepEqual(container.startupProbe, {httpGet: {path: '/healthz', port: 'admin'}, failureThreshold: 30});
      assert.deepEqual(Object.keys(container.livenessProbe).sort(), ['exec', 'failureThreshold', 'periodSeconds', 'timeoutSeconds']);
      assert.equal(containerOf(render(major)).startupProbe, undefined);
    });

    test('passes settings as the text that was written, large numbers and $(…) included', () => {
      const environment = environmentOf(render(major, {
        ...minimal,
        config: {...everything.config, 'redis-prefix': '$(HOME) "x": #', 'max-clients': 20000},
        keys: everything.keys,
        publishers: {demo: {enabled: true}},
      }));
      assert.equal(environment.WEIR_HISTORY_BYTES, '4194304');
      assert.equal(environment.WEIR_MAX_CLIENTS, '20000');
      assert.equal(environment.WEIR_ANONYMOUS_SUBSCRIBE, 'news.*,user:*');
      assert.equal(environment.WEIR_CONSOLE, 'off');
      assert.equal(environment.WEIR_REDIS_PREFIX, '$(HOME) "x": #');
    });

    test('takes the Redis URL from a Secret of the user and then makes none', () => {
      const documents = render(major, {...minimal, redis: {existingSecret: {name: 'mine', key: 'url'}}});
      assert.equal(ofKind(documents, 'Secret'), undefined);
      assert.deepEqual(environmentOf(documents).WEIR_REDIS_URL, {secretKeyRef: {name: 'mine', key: 'url'}});
    });

    test('gives the gateway and the publishers the files that a Redis asks for, and no others', () => {
      const secret = {passwordSecret: {name: 'p'}, caSecret: {name: 'c', key: 'ca.pem'}, certificateSecret: 't'};
      for (const redis of [secret, {passwordSecret: {name: 'p', key: 'k'}}, {caSecret: {name: 'c'}}, {}]) {
        const documents = render(major, {...minimal, redis: {url: 'rediss://app@redis', ...redis}, publishers: valkey.publishers});
        const pods = podsOf(documents).filter(({spec}) => spec.containers[0].image.startsWith('weir:'));
        assert.equal(pods.length, 4, 'the gateway, two publishers and the test');
        for (const {spec} of pods) {
          const files = spec.containers.flatMap(({env}) => env ?? []).filter(({name}) => /^WEIR_REDIS_.*FILE$/.test(name));
          const expected = spec.containers.some(({env}) => (env ?? []).some(({name}) => /^WEIR_(REDIS_URL|TO)$/.test(name))) ?
            (redis.passwordSecret ? 1 : 0) + (redis.caSecret ? 1 : 0) + (redis.certificateSecret ? 2 : 0) : 0;
          assert.equal(files.length, expected);
          const mounted = (spec.volumes ?? []).filter(({name}) => name === 'redis-files')
            .flatMap(({projected}) => projected.sources).flatMap(({secret: {items}}) => items.map(({path}) => `/etc/weir/redis/${path}`));
          assert.deepEqual(files.map(({value}) => value).sort(), mounted.sort());
          const mounts = spec.containers.flatMap(({volumeMounts}) => volumeMounts ?? []).filter(({name}) => name === 'redis-files');
          assert.equal(mounts.length, mounted.length > 0 ? 1 : 0);
        }
      }
    });

    test('lends its log publisher to a chart around it, as README.md says', () => {
      const readme = readFileSync(new URL('../../helm/weir/README.md', import.meta.url), 'utf8');
      const pod = readme.match(/^ {6}containers:\n.*?(?=^```)/ms)[0];
      const [{spec: {containers: [, publisher], volumes}}] = renderAround(
          major, `apiVersion: v1\nkind: Pod\nmetadata: {name: app}\nspec:\n${pod}`,
          {...minimal, redis: {existingSecret: {name: 'mine', key: 'url'}, passwordSecret: {name: 'p'}}});
      assert.deepEqual(publisher.command.slice(-2), ['--json', '/var/log/app/app.log']);
      assert.deepEqual(publisher.env.map(({name}) => name), ['WEIR_TO', 'WEIR_REDIS_PASSWORD_FILE', 'WEIR_CHANNEL']);
      assert.equal(publisher.env[0].valueFrom.secretKeyRef.name, 'mine');
      assert.equal(publisher.volumeMounts[0].mountPath, '/var/log/app');
      assert.deepEqual(publisher.volumeMounts.map(({name}) => name).sort(), volumes.map(({name}) => name).sort());
    });

    test('keeps the password of Redis out of everything but the Secret', () => {
      for (const document of render(major)) {
        if (document.kind !== 'Secret') assert.ok(!JSON.stringify(document).includes('secret@'), document.kind);
      }
    });

    test('replaces the pods when a setting, a channel or the Redis URL changes, and not otherwise', () => {
      const checksums = (changes) => JSON.stringify(podOf(render(major, {...minimal, ...changes})).metadata.annotations);
      const seen = [{}, {redis: {url: 'redis://b'}}, {config: {...minimal.config, 'retry-ms': 3000}},
        {channels: [{'match': 'a', 'envelope': 'never'}]}].map(checksums);
      assert.equal(new Set(seen).size, seen.length);
      assert.equal(checksums({replicaCount: 4}), seen[0]);
      assert.equal(checksums({keys: {files: {k: 'a'}}}), seen[0], 'a key is read again by the pod that is there');
    });

    test('replaces no pod when the chart alone has a new version', () => {
      for (const values of [everything, valkey]) {
        const pods = (version) => Object.fromEntries(renderAsVersion(major, version, values)
          .filter(({kind}) => kind === 'Deployment').map(({metadata, spec}) => [metadata.name, spec.template]));
        assert.ok(Object.keys(pods('9.8.7')).length >= 3);
        assert.deepEqual(pods('9.8.7'), pods('9.8.8'));
        assert.match(JSON.stringify(renderAsVersion(major, '9.8.7', values)), /weir-9\.8\.7/, 'the labels elsewhere have it');
      }
    });

    test('takes as many clients as its memory holds though none of them reads', () => {
      const clients = (config, memory = '2Gi') =>
        environmentOf(render(major, {...minimal, config: {...minimal.config, ...config}, resources: {limits: {memory}}})).WEIR_MAX_CLIENTS;
      assert.equal(clients({}), '9131');
      assert.equal(clients({}, '768Mi'), String(Math.floor((768 - 256 - 64 - 64) * 1048576 / (131072 + 60000))));
      assert.equal(clients({}, 2147483648), '9131');
      assert.equal(clients({}, '1.5G'), String(Math.floor((1.5e9 - 384 * 1048576) / 191072)));
      assert.equal(clients({'memory-limit': '1G'}), String(Math.floor((2048 - 1024 - 128) * 1048576 / 191072)));
      assert.equal(clients({'memory-limit': 1048576, 'request-memory': '1 MiB', 'socket-unsent-bytes': '64k'}),
                   String(Math.floor((2048 - 66) * 1048576 / (65536 + 60000))));
      assert.equal(clients({}, '385Mi'), '100');
      assert.equal(clients({'max-clients': 12345}), '12345');
      assert.equal(clients({'max-clients': 0}), '0');
      assert.equal(clients({}, null), undefined);
    });

    test('takes on and off as YAML has them, and sizes with a unit', () => {
      const documents = render(major, {...minimal, channels: [{'match': 'a', 'queue-bytes': '8Mi', 'envelope': null}],
        config: {...minimal.config, 'console': false, 'access-log': true, 'log-level': 'off', 'queue-bytes': '4Mi', 'record': 'a,b', 'shards': null}});
      const environment = environmentOf(documents);
      assert.equal(environment.WEIR_CONSOLE, 'off');
      assert.equal(environment.WEIR_ACCESS_LOG, 'on');
      assert.equal(environment.WEIR_LOG_LEVEL, 'off');
      assert.equal(environment.WEIR_QUEUE_BYTES, '4Mi');
      assert.equal(environment.WEIR_RECORD, 'a,b');
      assert.equal(environment.WEIR_SHARDS, undefined);
      const {data} = documents.find(({data}) => data?.['weir.toml']);
      assert.match(data['weir.toml'], /^queue-bytes = "8Mi"$/m);
      assert.doesNotMatch(data['weir.toml'], /envelope/);
    });

    test('writes the settings of single channels as TOML', () => {
      const documents = render(major, everything);
      assert.equal(environmentOf(documents).WEIR_CONFIG, '/etc/weir/files/weir.toml');
      const toml = documents.find(({kind, data}) => kind === 'ConfigMap' && data['weir.toml']).data['weir.toml'];
      const tables = toml.split('[[channel]]').slice(1).map((table) => table.trim().split('\n').sort());
      assert.deepEqual(tables, [
        ['history-messages = 0', 'match = "price.*"', 'slow-client = "latest"'],
        ['match = "log:*"', 'queue-bytes = 67108864'],
        ['durable = true', 'durable-messages = 50', 'match = "order:*"'],
        ['match = "build:*"', 'source = "stream"', 'stream-field = "line"', 'stream-key = "logs:{channel}"'],
      ]);
    });

    test('gives an Ingress what its controller needs, and lets the user win', () => {
      const annotations = (ingress) => ofKind(render(major, {...scaled, ingress: {...scaled.ingress, ...ingress}}), 'Ingress')
        .metadata.annotations;
      assert.equal(annotations({controller: 'nginx'})['nginx.ingress.kubernetes.io/proxy-buffering'], 'off');
      assert.match(annotations({controller: 'haproxy'})['haproxy.org/backend-config-snippet'], /option http-no-delay/);
      assert.match(annotations({controller: 'haproxy-ingress'})['haproxy-ingress.github.io/config-backend'], /http-no-delay/);
      assert.equal(annotations({controller: ''}), undefined);
      const own = {'nginx.ingress.kubernetes.io/proxy-read-timeout': '60'};
      const merged = annotations({controller: 'nginx', annotations: own});
      assert.equal(merged['nginx.ingress.kubernetes.io/proxy-read-timeout'], '60');
      assert.equal(merged['nginx.ingress.kubernetes.io/proxy-buffering'], 'off');
    });

    test('has an answer for no endpoints where the controller of the Ingress can be told of it', () => {
      const of = (values) => {
        const documents = render(major, {...minimal, ...values});
        const away = documents.filter(({metadata}) => metadata.name === 'r-weir-away').map(({kind}) => kind).sort();
        return [away, ofKind(documents, 'Ingress')?.metadata.annotations ?? {}];
      };
      const hosts = [{host: 'a.example'}];
      const all = ['Deployment', 'PodDisruptionBudget', 'Service'];
      const name = 'nginx.ingress.kubernetes.io/default-backend';
      const [nginx, annotations] = of({ingress: {enabled: true, controller: 'nginx', hosts}});
      assert.deepEqual(nginx, all);
      assert.equal(annotations[name], 'r-weir-away');
      for (const [controller, key] of [
        ['haproxy', 'haproxy.org/backend-config-snippet'], ['haproxy-ingress', 'haproxy-ingress.github.io/config-backend'],
      ]) {
        const [kinds, {[key]: snippet}] = of({ingress: {enabled: true, controller, hosts}});
        assert.deepEqual(kinds, all);
        assert.match(snippet, /^server away r-weir-away\.ns\.svc:80 backup init-addr last,libc,none$/m);
        assert.doesNotMatch(of({ingress: {enabled: true, controller, hosts}, away: {enabled: false}})[1][key], /backup/);
      }
      assert.deepEqual(of({})[0], []);
      assert.deepEqual(of({ingress: {enabled: true, hosts}})[0], []);
      assert.deepEqual(of({ingress: {enabled: true, controller: 'nginx', hosts}, away: {enabled: false}}), [[],
        Object.fromEntries(Object.entries(annotations).filter(([key]) => key !== name))]);
      assert.deepEqual(of({away: {enabled: true}})[0], all);
      assert.deepEqual(of({away: {enabled: true, replicaCount: 1}})[0], ['Deployment', 'Service']);
    });

    test('lets pages of other origins read the answer while there is no gateway', () => {
      const documents = render(major, {...minimal, away: {enabled: true}, channels: [{'match': 'a', 'envelope': 'never'}],
        config: {...minimal.config, 'cors-origin': ['https://a.example', 'https://b.example'], 'log-format': 'json'}});
      const [container] = documents.find(({kind, metadata}) => kind === 'Deployment' && metadata.name === 'r-weir-away').spec.template.spec.containers;
      assert.deepEqual(container.command, ['weir-broker', '--away']);
      assert.deepEqual(Object.fromEntries(container.env.map(({name, value}) => [name, value])), {
        WEIR_LISTEN: '[::]:8080', WEIR_ADMIN_LISTEN: '[::]:8081', WEIR_DRAIN_SECONDS: '1',
        WEIR_CORS_ORIGIN: 'https://a.example,https://b.example', WEIR_LOG_FORMAT: 'json',
      });
    });

    test('gives the gateway the token of its admin port', () => {
      const documents = render(major, {...minimal, adminTokenSecret: {name: 'mine', key: 'admin'}});
      assert.equal(environmentOf(documents).WEIR_ADMIN_TOKEN_FILE, '/etc/weir/admin/token');
      const {volumes, containers} = podOf(documents).spec;
      assert.deepEqual(volumes, [{name: 'admin-token', secret: {secretName: 'mine', defaultMode: 0o440, items: [{key: 'admin', path: 'token'}]}}]);
      assert.deepEqual(containers[0].volumeMounts, [{name: 'admin-token', mountPath: '/etc/weir/admin', readOnly: true}]);
    });

    test('leaves the number of pods to the autoscaler', () => {
      const documents = render(major, scaled);
      assert.equal(ofKind(documents, 'Deployment').spec.replicas, undefined);
      const {metrics, scaleTargetRef} = ofKind(documents, 'HorizontalPodAutoscaler').spec;
      assert.equal(scaleTargetRef.name, ofKind(documents, 'Deployment').metadata.name);
      assert.equal(metrics[0].pods.metric.name, 'weir_clients');
      assert.equal(metrics[0].pods.target.averageValue, '15000');
    });

    test('points the gateway, the publishers and the test at the same Redis', () => {
      for (const values of [minimal, valkey, scaled]) {
        const documents = render(major, {...values, publishers: valkey.publishers});
        const sources = podsOf(documents).flatMap(({spec}) => spec.containers).flatMap(({env}) => env ?? [])
          .filter(({name}) => name === 'WEIR_TO' || name === 'WEIR_REDIS_URL')
          .map(({value, valueFrom}) => JSON.stringify(value ?? valueFrom));
        assert.equal(sources.length, 4);
        assert.equal(new Set(sources).size, 1);
      }
    });

    test('opens the admin port to those alone that are named', () => {
      const rules = (values) => ofKind(render(major, values), 'NetworkPolicy').spec.ingress;
      assert.deepEqual(rules(valkey).flatMap(({ports}) => ports.map(({port}) => port)), ['http']);
      const admin = rules(everything).find(({ports}) => ports[0].port === 'admin');
      assert.equal(admin.from.length, 1);
    });

    test('tests a channel that may be read, with a token where there is one', () => {
      const test = (values) => render(major, values).find(({kind}) => kind === 'Pod').spec;
      const env = (values) => Object.fromEntries(test(values).containers[0].env.map(({name, value}) => [name, value]));
      assert.equal(env(trial).WEIR_SELFTEST, 'http://r-weir:80');
      assert.equal(env(trial).WEIR_SELFTEST_CHANNEL, 'demo.helm-test');
      assert.equal(env(everything).WEIR_SELFTEST_CHANNEL, 'news.helm-test');
      assert.equal(env(everything).WEIR_REDIS_PREFIX, 'app:');
      assert.equal(env(scaled).WEIR_SELFTEST_CHANNEL, 'helm-test');
      assert.equal(env({...minimal, test: {channel: 'mine'}}).WEIR_SELFTEST_CHANNEL, 'mine');
      assert.equal(env({...minimal, config: {'anonymous-subscribe': 'one,two.*', 'base-path': '/events'}}).WEIR_SELFTEST_CHANNEL, 'two.helm-test');
      assert.equal(env({...minimal, config: {...minimal.config, 'base-path': '/events'}}).WEIR_SELFTEST, 'http://r-weir:80/events');
      assert.equal(env(memory).WEIR_REDIS_URL, undefined);
      assert.deepEqual(test(trial).containers[0].command, ['weir-broker']);
      const {containers: [container], volumes} = test({...scaled, test: {tokenSecret: {name: 'mine', key: 'jwt'}}});
      assert.ok(container.env.some(({name, value}) => name === 'WEIR_SELFTEST_TOKEN_FILE' && value === '/etc/weir/test/token'));
      assert.deepEqual(volumes[0].secret.items, [{key: 'jwt', path: 'token'}]);
      assert.equal(container.volumeMounts[0].name, volumes[0].name);
    });

    test('renders one replica on the memory bus without Redis', () => {
      const documents = render(major, memory);
      assert.equal(ofKind(documents, 'Secret'), undefined);
      assert.equal(environmentOf(documents).WEIR_BUS, 'memory');
      assert.equal(environmentOf(documents).WEIR_REDIS_URL, undefined);
    });

    test('makes names that Kubernetes takes from any release name', () => {
      for (const release of ['weir', 'a'.repeat(53)]) {
        const names = render(major, {...everything, redis: {}, valkey: {enabled: true}}, release)
          .map(({kind, metadata}) => `${kind}/${metadata.name}`);
        for (const name of names) assert.match(name, /^[A-Za-z]+\/[a-z0-9-]{1,63}$/);
        assert.equal(new Set(names).size, names.length);
      }
    });

    const refused = {
      'no Redis URL': [{...minimal, redis: {}}, /there is no Redis: set redis\.url/],
      'two sources of the Redis URL': [
        {...minimal, redis: {...minimal.redis, existingSecret: {name: 'mine'}}}, /redis\.url and redis\.existingSecret: set one/],
      'a Redis URL of another scheme': [{...minimal, redis: {url: 'http://redis'}}, /url/],
      'a Redis URL with a line feed': [{...minimal, redis: {url: 'redis://a\nb: c'}}, /url/],
      'several replicas on the memory bus': [{...memory, replicaCount: 2}, /replicaCount/],
      'autoscaling on the memory bus': [{...memory, autoscaling: {enabled: true}}, /autoscaling/],
      'durable channels on the memory bus': [{...memory, config: {...memory.config, durable: ['a*']}}, /"a\*" have their history in Redis/],
      'a stream on the memory bus': [{...memory, channels: [{match: 'b', source: 'stream'}]}, /"b" have their history in Redis/],
      'a brace in the prefix of durable channels': [
        {...minimal, config: {...minimal.config, durable: 'a,b', 'redis-prefix': '{app}:'}}, /config\.redis-prefix/],
      'a durable stream': [{...minimal, channels: [{match: 'a', durable: true, source: 'stream'}]}, /"a" is durable, and of source stream/],
      'a stream-key without a stream': [{...minimal, channels: [{match: 'a', 'stream-key': 'x'}]}, /"a" has a stream-key/],
      'a Redis URL beside the memory bus': [{...minimal, bus: 'memory'}, /leave out redis\.url/],
      'a Valkey beside a Redis URL': [{...minimal, valkey: {enabled: true}}, /redis\.url and valkey\.enabled: set one/],
      'a Valkey beside the memory bus': [{...memory, valkey: {enabled: true}}, /leave out valkey\.enabled/],
      'files of another Redis beside a Valkey': [{...valkey, redis: {caSecret: {name: 'c'}}}, /redis\.caSecret is for a Redis of yours/],
      'an unknown bus': [{...minimal, bus: 'kafka'}, /bus/],
      'nobody who may come': [{...minimal, config: {}}, /anonymous-subscribe/],
      'a misspelt value': [{...minimal, replicas: 2}, /replicas/],
      'a misspelt setting': [{...minimal, config: {...minimal.config, 'heartbeat-second': 15}}, /heartbeat-second/],
      'a setting that the chart owns': [{...minimal, config: {...minimal.config, listen: ':80'}}, /listen/],
      'a setting with a line feed': [{...minimal, config: {...minimal.config, 'redis-prefix': 'a\nb'}}, /redis-prefix/],
      'a comma inside a list item': [{...minimal, config: {'anonymous-subscribe': ['a,*']}}, /anonymous-subscribe/],
      'a negative number': [{...minimal, config: {...minimal.config, 'max-clients': -1}}, /max-clients/],
      'a drain that is not a number': [{...minimal, config: {...minimal.config, 'drain-seconds': '5'}}, /drain-seconds/],
      'a misspelt policy': [{...minimal, config: {...minimal.config, 'slow-client': 'dissconnect'}}, /slow-client/],
      'a misspelt policy of a channel': [{...minimal, channels: [{'match': 'a', 'slow-client': 'dissconnect'}]}, /slow-client/],
      'an unknown log level': [{...minimal, config: {...minimal.config, 'log-level': 'chatty'}}, /log-level/],
      'a number out of range': [{...minimal, config: {...minimal.config, 'heartbeat-seconds': 99999}}, /heartbeat-seconds/],
      'a size of another unit': [{...minimal, config: {...minimal.config, 'memory-limit': '1Ti'}}, /memory-limit/],
      'messages that the memory limit does not hold': [
        {...minimal, config: {...minimal.config, 'memory-limit': '4Gi'}}, /resources\.limits\.memory \(2Gi\) does not hold config\.memory-limit \(4Gi\).*raise it by 2176Mi/],
      'a memory limit that is too small': [{...minimal, resources: {limits: {memory: '300M'}}}, /300M.*config\.memory-limit \(256Mi\)/],
      'pods that are added after max-clients': [
        {...minimal, autoscaling: {enabled: true, clientsPerPod: 20000}}, /clientsPerPod is 20000.*no more than 9131/],
      'replicas as text': [{...minimal, replicaCount: '2'}, /replicaCount/],
      'a port out of range': [{...minimal, service: {port: 70000}}, /port/],
      'an image with a space': [{...minimal, image: {repository: 'weir --privileged'}}, /repository/],
      'a name with capitals': [{...minimal, fullnameOverride: 'Weir'}, /fullnameOverride/],
      'an Ingress of no host': [{...minimal, ingress: {enabled: true}}, /hosts/],
      'a host with a path': [{...minimal, ingress: {enabled: true, hosts: [{host: 'a.b/c'}]}}, /host/],
      'an unknown controller': [{...minimal, ingress: {controller: 'caddy'}}, /controller/],
      'a key file that no pod has': [{...minimal, config: {'jwks-file': '/etc/weir/keys/jwks'}, keys: {files: {a: 'b'}}}, /jwks/],
      'a key file without keys': [{...minimal, config: {'jwt-secret-file': '/etc/weir/keys/jwt'}}, /keys\.files/],
      'a key file of another folder': [
        {...minimal, config: {'jwt-secret-file': '/run/jwt'}, keys: {existingSecret: 'c'}}, /\/run\/jwt/],
      'keys of two sources': [{...minimal, keys: {files: {a: 'b'}, existingSecret: 'c'}}, /keys/],
      'a key outside of its folder': [{...minimal, keys: {files: {'../a': 'b'}}}, /keys|\.\.\/a/],
      'a misspelt setting of a channel': [{...minimal, channels: [{match: 'a', queue: 1}]}, /queue/],
      'a channel without a pattern': [{...minimal, channels: [{'queue-bytes': 1}]}, /match/],
      'a pattern that ends its string': [{...minimal, channels: [{match: 'a"\n[x]', envelope: 'auto'}]}, /match/],
      'fewer pods at most than at least': [{...minimal, autoscaling: {enabled: true, minReplicas: 5, maxReplicas: 2}}, /minReplicas/],
      'a channel that is the gateway\'s own': [{...minimal, publishers: {demo: {channel: 'weir:x'}}}, /channel/],
      'a channel that is no place in a path': [{...minimal, publishers: {demo: {channel: '..'}}}, /channel/],
      'a reserved channel': [{...minimal, publishers: {demo: {channel: '__keyspace'}}}, /channel/],
      'a label that selects pods': [{...minimal, podLabels: {'app.kubernetes.io/name': 'x'}}, /podLabels/],
    };
    test('refuses a misspelt or impossible setting when it lints', () => {
      for (const config of [{'log-level': 'chatty'}, {'slow-client': 'dissconnect'}, {'heartbeat-seconds': 99999}, {'heartbeat-second': 15}]) {
        const {status, stdout} = lint(major, {...minimal, config: {...minimal.config, ...config}});
        assert.notEqual(status, 0, stdout);
        assert.ok(stdout.includes(Object.keys(config)[0]), stdout);
      }
    });

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

test('the notes begin with TRIAL: when it is one, say what is open, and have commands to try', () => {
  const text = notes(4, trial);
  assert.match(text, /^NOTES:\nTRIAL:/);
  assert.match(text, /channels demo\.\*, and no other channel \(403\)/);
  assert.match(text, /port-forward service\/r-weir 8080:80$/m);
  assert.match(text, /curl -N http:\/\/127\.0\.0\.1:8080\/channels\/demo\.stream$/m);
  assert.match(text, /exec deployment\/r-weir-valkey -- valkey-cli PUBLISH demo\.stream/);
  assert.match(text, /curl -X POST http:\/\/127\.0\.0\.1:8080\/channels\/demo\.stream/);
  for (const values of [minimal, valkey, memory, everything]) assert.doesNotMatch(notes(4, values), /TRIAL/);
});

test('the notes say what one gateway and what several mean', () => {
  assert.match(notes(4, minimal), /2 gateways: .*weir:gap/s);
  assert.match(notes(4, scaled), /3 to 20 gateways/);
  assert.match(notes(4, {...minimal, replicaCount: 1}), /One gateway: .*replicaCount: 2/);
  assert.match(notes(4, memory), /memory bus can have no more/);
});

test('the notes say what keeps the history of durable channels', () => {
  const durable = (values) => notes(4, {...values, config: {...values.config, durable: ['user:*']}});
  assert.match(durable(minimal), /Durable channels \(user:\*\).*noeviction/s);
  assert.match(durable(valkey), /as long as the Valkey's pod lives/);
  assert.match(durable({...valkey, valkey: {enabled: true, persistence: {enabled: true}}}), /on a volume\./);
  assert.doesNotMatch(notes(4, minimal), /Durable/);
});

test('the notes fit how one gets in', () => {
  assert.match(notes(4, valkey), /valkey-cli PUBLISH stream/);
  assert.match(notes(4, valkey), /helm --namespace ns test r/);
  assert.match(notes(4, minimal), /redis-cli -u/);
  assert.doesNotMatch(notes(4, minimal), /curl -X POST/);
  assert.match(notes(4, memory), /curl -X POST/);
  assert.match(notes(4, scaled), /needs a token/);
  assert.match(notes(4, scaled), /http:\/\/events\.example\.com\/channels/);
  assert.match(notes(4, everything), /https:\/\/app\.example\.com\/push\/channels/);
  assert.doesNotMatch(notes(4, everything), /secret@/);
});

test('the chart knows the settings of the gateway, all of them and no others',
     {skip: process.env.WEIR_BROKER ? false : 'the gateway is not built'}, () => {
       const ofTheChart = ['listen', 'admin-listen', 'admin-token-file', 'bus', 'redis-url', 'redis-password-file', 'redis-ca-file',
         'redis-certificate-file', 'redis-key-file', 'config', 'healthcheck', 'away', 'sleep', 'print-function', 'selftest', 'selftest-channel', 'selftest-token-file', 'help', 'version'];
       const known = [...settingsOf(process.env.WEIR_BROKER)].filter((name) => !ofTheChart.includes(name));
       assert.deepEqual(Object.keys(schema.properties.config.properties).sort(), known.sort());
     });

test('the chart knows what may be set for a single channel', () => {
  const page = readFileSync(new URL('../../docs/settings.md', import.meta.url), 'utf8');
  const known = /matches the pattern `match`: ([a-z, -]+)\./.exec(page)[1].split(', ');
  const own = page.slice(page.indexOf('## `[[channel]]`'));
  known.push(...[...own.matchAll(/^\| `([a-z-]+)` \|/gm)].map((row) => row[1]));
  const {match, ...ofTheChart} = schema.properties.channels.items.properties;
  assert.ok(match);
  assert.deepEqual(Object.keys(ofTheChart).sort(), known.sort());
});

// What the documents say of each other is true.
function checkAgreement(documents) {
  const named = (kind, name) => documents.find((document) => document.kind === kind && document.metadata.name === name);
  const pods = podsOf(documents);
  for (const {spec} of documents.filter(({kind}) => kind === 'Deployment')) {
    assert.ok(isSelected(spec.selector.matchLabels, spec.template.metadata.labels));
    assert.equal(documents.filter((other) => other.kind === 'Deployment' &&
      isSelected(spec.selector.matchLabels, other.spec.template.metadata.labels)).length, 1, 'pods of one Deployment alone');
  }
  for (const {spec} of documents.filter(({kind}) => kind === 'Service')) {
    const selected = pods.filter(({metadata}) => isSelected(spec.selector, metadata.labels));
    assert.equal(selected.length, 1);
    const ports = selected[0].spec.containers.flatMap((container) => (container.ports ?? []).map(({name}) => name));
    for (const {targetPort} of spec.ports) assert.ok(ports.includes(targetPort));
  }
  for (const {kind, spec} of documents.filter(({kind}) => ['PodDisruptionBudget', 'NetworkPolicy', 'PodMonitor'].includes(kind))) {
    const {matchLabels} = kind === 'NetworkPolicy' ? spec.podSelector : spec.selector;
    assert.equal(pods.filter(({metadata}) => isSelected(matchLabels, metadata.labels)).length, 1, kind);
  }
  for (const {spec} of documents.filter(({kind}) => kind === 'Ingress')) {
    for (const {backend: {service}} of spec.rules.flatMap(({http}) => http.paths)) {
      assert.ok(named('Service', service.name).spec.ports.some(({name}) => name === service.port.name));
    }
  }
  for (const {kind, spec} of documents.filter(({kind}) => ['HTTPRoute', 'Route'].includes(kind))) {
    const [name, port] = kind === 'Route' ? [spec.to.name, spec.port.targetPort] :
      [spec.rules[0].backendRefs[0].name, spec.rules[0].backendRefs[0].port];
    assert.ok(named('Service', name).spec.ports.some((one) => one.name === port || one.port === port), kind);
  }
  for (const {spec} of documents.filter(({kind}) => kind === 'ServiceMonitor')) {
    const services = documents.filter(({kind, metadata}) => kind === 'Service' && isSelected(spec.selector.matchLabels, metadata.labels));
    assert.equal(services.length, 1);
    assert.ok(services[0].spec.ports.some(({name}) => name === spec.endpoints[0].port));
  }
  checkReferences(pods, named);
  const ports = Object.fromEntries(containerOf(documents).ports.map((port) => [port.name, port.containerPort]));
  for (const probe of ['readinessProbe', 'livenessProbe']) assert.ok(containerOf(documents)[probe].httpGet.port in ports);
  assert.equal(environmentOf(documents).WEIR_LISTEN, `[::]:${ports.http}`);
  assert.equal(environmentOf(documents).WEIR_ADMIN_LISTEN, `[::]:${ports.admin}`);
}

// The Secrets, ConfigMaps and volumes that pods name are there, unless they are the user's own.
function checkReferences(pods, named) {
  const isOwn = (name) => ['mine', 'my-keys'].includes(name);
  for (const {spec} of pods) {
    for (const {secret, configMap} of spec.volumes ?? []) {
      if (secret) assert.ok(isOwn(secret.secretName) || named('Secret', secret.secretName), secret.secretName);
      if (configMap) assert.ok(named('ConfigMap', configMap.name), configMap.name);
    }
    for (const container of spec.containers) {
      for (const {name} of container.volumeMounts ?? []) assert.ok(spec.volumes.some((volume) => volume.name === name), name);
      for (const {configMapRef} of container.envFrom ?? []) assert.ok(isOwn(configMapRef.name) || named('ConfigMap', configMapRef.name));
      for (const {valueFrom} of container.env ?? []) {
        if (!valueFrom || isOwn(valueFrom.secretKeyRef.name)) continue;
        assert.ok(valueFrom.secretKeyRef.key in named('Secret', valueFrom.secretKeyRef.name).stringData);
      }
    }
    const account = spec.serviceAccountName;
    if (account && account !== 'default') assert.ok(named('ServiceAccount', account));
  }
}
