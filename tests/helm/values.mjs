// The combinations of values that the tests render; the golden files are named after them.

// The least that a user has to say.
export const minimal = {
  redis: {url: 'redis://:secret@redis:6379'},
  config: {'anonymous-subscribe': ['*']},
};

// One of everything that goes together.
export const everything = {
  ...minimal,
  redis: {
    url: 'rediss://app@redis:6380', passwordSecret: {name: 'redis-login', key: 'password'}, caSecret: {name: 'redis-ca', key: 'ca.crt'},
    certificateSecret: 'redis-client',
  },
  image: {repository: 'example.com/team/weir', tag: '1.2.3', pullPolicy: 'Always'},
  imagePullSecrets: [{name: 'registry'}],
  replicaCount: 3,
  config: {
    'anonymous-subscribe': ['news.*', 'user:*'],
    'anonymous-publish': ['demo'],
    'redis-prefix': 'app:',
    'durable': ['user:*'],
    'history-bytes': 4194304,
    'drain-seconds': 90,
    'log-format': 'json',
    'console': 'off',
    'jwt-secret-file': '/etc/weir/keys/jwt-secret',
    'jwt-audience': 'weir',
  },
  channels: [
    {'match': 'price.*', 'slow-client': 'latest', 'history-messages': 0},
    {'match': 'log:*', 'queue-bytes': 67108864},
    {'match': 'order:*', 'durable': true, 'durable-messages': 50},
    {'match': 'build:*', 'source': 'stream', 'stream-key': 'logs:{channel}', 'stream-field': 'line'},
  ],
  keys: {files: {'jwt-secret': 'a text of more than thirty-two bytes'}},
  service: {type: 'LoadBalancer', port: 8080, annotations: {'example.com/a': 'b'}},
  ingress: {
    enabled: true, className: 'nginx', controller: 'nginx', annotations: {'cert-manager.io/cluster-issuer': 'letsencrypt'},
    hosts: [{host: 'events.example.com', path: '/push'}, {host: 'app.example.com', path: '/push/'}],
    tls: [{secretName: 'events-tls', hosts: ['events.example.com', 'app.example.com']}],
  },
  podDisruptionBudget: {enabled: true, maxUnavailable: '25%'},
  networkPolicy: {
    enabled: true, redisPort: 6380,
    from: [{namespaceSelector: {matchLabels: {'kubernetes.io/metadata.name': 'ingress'}}}],
    adminFrom: [{namespaceSelector: {matchLabels: {'kubernetes.io/metadata.name': 'monitoring'}}}],
  },
  away: {replicaCount: 3},
  serviceAccount: {create: true, name: 'gateway', annotations: {'example.com/role': 'x'}},
  serviceMonitor: {
    enabled: true, interval: '30s', scrapeTimeout: '10s', namespace: 'monitoring', labels: {release: 'prometheus'},
    relabelings: [{action: 'labeldrop', regex: 'pod_template_hash'}],
  },
  prometheusRule: {enabled: true, labels: {release: 'prometheus'}},
  dashboard: {enabled: true},
  publishers: {demo: {enabled: true}, log: {enabled: true, channel: 'machine', flags: ['--json']}},
  preStopSeconds: 8,
  podAnnotations: {'example.com/note': 'true'},
  podLabels: {team: 'web'},
  nodeSelector: {'kubernetes.io/arch': 'amd64'},
  tolerations: [{key: 'dedicated', operator: 'Exists', effect: 'NoSchedule'}],
  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [
    {matchExpressions: [{key: 'a', operator: 'In', values: ['b']}]},
  ]}}},
  topologySpreadConstraints: [{
    maxSkew: 1, topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'ScheduleAnyway',
    labelSelector: {matchLabels: {'app.kubernetes.io/name': 'weir'}},
  }],
  priorityClassName: 'high',
};

// What a user has who says nothing.
export const trial = {};

// On a cluster with nothing else there.
export const valkey = {
  config: {'anonymous-subscribe': ['*'], 'anonymous-publish': ['*']},
  valkey: {enabled: true},
  publishers: {demo: {enabled: true}, log: {enabled: true}},
  networkPolicy: {enabled: true},
};

export const memory = {...minimal, redis: {}, bus: 'memory', publishers: {demo: {enabled: true}}};

// A release of many pods, with Secrets of the user's own.
export const scaled = {
  redis: {existingSecret: {name: 'mine', key: 'url'}},
  config: {'jwks-file': '/etc/weir/keys/jwks.json'},
  keys: {existingSecret: 'my-keys'},
  autoscaling: {
    enabled: true, minReplicas: 3, maxReplicas: 20, clientsPerPod: 15000, memoryPercent: 90,
    metrics: [{type: 'External', external: {metric: {name: 'queue'}, target: {type: 'Value', value: '30'}}}],
  },
  resources: {limits: {memory: '4Gi'}},
  ingress: {enabled: true, className: 'haproxy', controller: 'haproxy', hosts: [{host: 'events.example.com'}]},
  serviceAccount: {create: false},
};

// Reached in every way.
export const outside = {
  ...minimal,
  config: {...minimal.config, 'max-message-bytes': '8Mi', 'heartbeat-seconds': 30},
  basePath: '/push',
  ingress: {
    enabled: true, className: 'alb', controller: 'alb', pathType: 'Exact', labels: {'example.com/tier': 'edge'},
    annotations: {'alb.ingress.kubernetes.io/scheme': 'internet-facing', 'alb.ingress.kubernetes.io/healthy-threshold-count': null},
    hosts: [
      {host: 'a.example.com', paths: ['/push/events', {path: '/push/channels', pathType: 'Prefix'}]},
      {host: 'b.example.com', path: '/push', pathType: 'Prefix'},
    ],
  },
  httpRoute: {
    enabled: true, parentRefs: [{name: 'public', namespace: 'gateways', sectionName: 'https'}], hostnames: ['events.example.com'],
    paths: ['/push', {type: 'RegularExpression', value: '/v[0-9]+/push/.*'}], labels: {'example.com/tier': 'edge'},
    filters: [{type: 'ResponseHeaderModifier', responseHeaderModifier: {set: [{name: 'X-Edge', value: '1'}]}}],
    annotations: {'example.com/a': 'b'}, extraRules: [{matches: [{path: {type: 'Exact', value: '/robots.txt'}}]}],
  },
  openshiftRoute: {enabled: true, host: 'c.example.com', path: '/push', annotations: {'example.com/a': 'b'}, labels: {a: 'b'}},
};

const confined = {
  securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: ['ALL']}},
  resources: {requests: {cpu: '10m'}, limits: {memory: '16Mi'}},
};

// What can be added to the chart's objects.
export const options = {
  ...minimal,
  global: {imageRegistry: 'registry.example.com', imagePullSecrets: ['shared']},
  image: {repository: 'team/weir', digest: `sha256:${'0123456789abcdef'.repeat(4)}`},
  imagePullSecrets: [{name: 'registry'}],
  service: {
    type: 'LoadBalancer', nodePort: 30080, labels: {'example.com/tier': 'edge'},
    ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv6', 'IPv4'], internalTrafficPolicy: 'Cluster', externalTrafficPolicy: 'Local',
    sessionAffinity: 'ClientIP', sessionAffinityConfig: {clientIP: {timeoutSeconds: 600}},
    loadBalancerClass: 'example.com/fast', loadBalancerIP: '192.0.2.1', loadBalancerSourceRanges: ['203.0.113.0/24'],
  },
  extraEnv: [{name: 'TZ', value: 'Europe/Berlin'}],
  extraEnvFrom: [{configMapRef: {name: 'mine'}}],
  extraVolumes: [{name: 'scratch', emptyDir: {}}],
  extraVolumeMounts: [{name: 'scratch', mountPath: '/scratch'}],
  extraContainers: [{name: 'beside', image: 'beside:1', ...confined}],
  initContainers: [{name: 'before', image: 'before:1', ...confined}],
  podSecurityContext: {supplementalGroups: [3000]},
  securityContext: {privileged: false},
  nodeSelector: {'kubernetes.io/arch': 'arm64'},
  tolerations: [{key: 'dedicated', operator: 'Exists', effect: 'NoSchedule'}],
  priorityClassName: 'high',
  runtimeClassName: 'gvisor',
  dnsConfig: {options: [{name: 'ndots', value: '1'}]},
  hostAliases: [{ip: '192.0.2.2', hostnames: ['redis']}],
  affinity: {
    nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [
      {matchExpressions: [{key: 'a', operator: 'In', values: ['b']}]},
    ]}},
    podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [
      {topologyKey: 'kubernetes.io/hostname', labelSelector: {matchLabels: {'app.kubernetes.io/component': 'gateway'}}},
    ]},
  },
  topologySpreadConstraints: false,
  autoscaling: {
    enabled: true, minReplicas: 2, maxReplicas: 5, clientsPerPod: 5000, cpuPercent: 70, memoryPercent: 80,
    behavior: {scaleUp: {stabilizationWindowSeconds: 0}},
    keda: {
      enabled: true, serverAddress: 'http://prometheus:9090', authenticationRef: {name: 'prometheus'}, annotations: {'example.com/a': 'b'},
      triggers: [{type: 'cron', metadata: {timezone: 'Europe/Berlin', start: '0 8 * * *', end: '0 18 * * *', desiredReplicas: '4'}}],
    },
  },
  podDisruptionBudget: {minAvailable: '50%', unhealthyPodEvictionPolicy: 'AlwaysAllow'},
  networkPolicy: {
    enabled: true,
    extraIngress: [{from: [{ipBlock: {cidr: '192.0.2.0/24'}}], ports: [{port: 'admin', protocol: 'TCP'}]}],
    extraEgress: [{to: [{ipBlock: {cidr: '192.0.2.3/32'}}], ports: [{port: 443, protocol: 'TCP'}]}],
  },
  podMonitor: {
    enabled: true, interval: '30s', scrapeTimeout: '5s', namespace: 'monitoring', labels: {release: 'prometheus'},
    annotations: {'example.com/a': 'b'}, relabelings: [{sourceLabels: ['__meta_kubernetes_pod_node_name'], targetLabel: 'node'}],
    metricRelabelings: [{sourceLabels: ['__name__'], regex: 'weir_http_.*', action: 'drop'}],
  },
  prometheusRule: {
    enabled: true, thresholds: {redisDownFor: '5m', clientsShare: 0.7}, runbooks: 'https://example.com/runbooks', namespace: 'monitoring', labels: {release: 'prometheus'}, annotations: {'example.com/a': 'b'},
  },
  extraObjects: [
    {apiVersion: 'v1', kind: 'ConfigMap', metadata: {
      name: '{{ include "weir.fullname" . }}-mine', namespace: 'events', labels: {team: 'web'}, annotations: {'example.com/owner': 'web'},
    }},
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  {{- include "weir.metadata" (dict "root" . "suffix" "text") | nindent 2 }}\n',
  ],
  revisionHistoryLimit: 3,
  commonLabels: {team: 'web'},
  commonAnnotations: {'example.com/owner': 'web'},
  namespaceOverride: 'events',
};

export const combinations = {minimal, everything, trial, valkey, memory, scaled, outside, options};
