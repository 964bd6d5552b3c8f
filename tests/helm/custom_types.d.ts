// The kinds that the chart renders and that are not Kubernetes' own, as far as the chart can set them. Written by hand from
// their references; kubernetes_types.mjs checks rendered documents against them.
import type {HorizontalPodAutoscalerBehavior} from 'kubernetes-types/autoscaling/v2';
import type {LabelSelector, ObjectMeta} from 'kubernetes-types/meta/v1';

type Text = {[key: string]: string};

// Gateway API v1.
type GatewayDuration = `${number}${'h' | 'm' | 's' | 'ms'}`;
interface BackendRef {group?: string; kind?: string; name: string; namespace?: string; port?: number; weight?: number}
interface HeaderModifier {set?: {name: string; value: string}[]; add?: {name: string; value: string}[]; remove?: string[]}
type PathModifier = {type: 'ReplaceFullPath'; replaceFullPath: string} | {type: 'ReplacePrefixMatch'; replacePrefixMatch: string};
type Filter =
  {type: 'RequestHeaderModifier'; requestHeaderModifier: HeaderModifier} |
  {type: 'ResponseHeaderModifier'; responseHeaderModifier: HeaderModifier} |
  {type: 'URLRewrite'; urlRewrite: {hostname?: string; path?: PathModifier}};
interface HttpRule {
  matches?: {path?: {type: 'Exact' | 'PathPrefix' | 'RegularExpression'; value: string}; method?: string}[];
  filters?: Filter[];
  backendRefs?: BackendRef[];
  timeouts?: {request?: GatewayDuration; backendRequest?: GatewayDuration};
}
export interface HTTPRoute {
  apiVersion: 'gateway.networking.k8s.io/v1';
  kind: 'HTTPRoute';
  metadata: ObjectMeta;
  spec: {
    parentRefs: {group?: string; kind?: string; name: string; namespace?: string; sectionName?: string; port?: number}[];
    hostnames?: string[];
    rules: HttpRule[];
  };
}

// OpenShift.
export interface Route {
  apiVersion: 'route.openshift.io/v1';
  kind: 'Route';
  metadata: ObjectMeta;
  spec: {
    host?: string;
    path?: `/${string}`;
    to: {kind: 'Service'; name: string; weight?: number};
    port?: {targetPort: string | number};
    wildcardPolicy?: 'None' | 'Subdomain';
    tls?: {
      termination: 'edge' | 'passthrough' | 'reencrypt';
      insecureEdgeTerminationPolicy?: 'Allow' | 'Redirect' | 'None';
      key?: string; certificate?: string; caCertificate?: string; destinationCACertificate?: string;
      externalCertificate?: {name: string};
    };
  };
}

// The Prometheus operator.
type PrometheusDuration = `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;
interface Relabeling {
  sourceLabels?: string[]; separator?: string; targetLabel?: string; regex?: string; modulus?: number; replacement?: string;
  action?: 'replace' | 'keep' | 'drop' | 'hashmod' | 'labelmap' | 'labeldrop' | 'labelkeep' | 'lowercase' | 'uppercase';
}
interface Endpoint {
  port: string; path: string; interval?: PrometheusDuration; scrapeTimeout?: PrometheusDuration;
  relabelings?: Relabeling[]; metricRelabelings?: Relabeling[];
}
export interface ServiceMonitor {
  apiVersion: 'monitoring.coreos.com/v1';
  kind: 'ServiceMonitor';
  metadata: ObjectMeta;
  spec: {selector: LabelSelector; namespaceSelector?: {matchNames: string[]}; endpoints: Endpoint[]};
}
export interface PodMonitor {
  apiVersion: 'monitoring.coreos.com/v1';
  kind: 'PodMonitor';
  metadata: ObjectMeta;
  spec: {selector: LabelSelector; namespaceSelector?: {matchNames: string[]}; podMetricsEndpoints: Endpoint[]};
}
export interface PrometheusRule {
  apiVersion: 'monitoring.coreos.com/v1';
  kind: 'PrometheusRule';
  metadata: ObjectMeta;
  spec: {groups: {name: string; rules: {alert: string; expr: string; for?: PrometheusDuration; labels: Text; annotations: Text}[]}[]};
}

// KEDA.
type Trigger =
  {type: 'prometheus'; metricType: 'AverageValue'; metadata: {serverAddress: string; query: string; threshold: string; ignoreNullValues: string};
    authenticationRef?: {name: string; kind?: string}} |
  {type: 'cpu' | 'memory'; metricType: 'Utilization'; metadata: {value: string}} |
  {type: 'cron'; metadata: {timezone: string; start: string; end: string; desiredReplicas: string}};
export interface ScaledObject {
  apiVersion: 'keda.sh/v1alpha1';
  kind: 'ScaledObject';
  metadata: ObjectMeta;
  spec: {
    scaleTargetRef: {apiVersion?: string; kind?: string; name: string};
    minReplicaCount?: number; maxReplicaCount?: number; pollingInterval?: number; cooldownPeriod?: number;
    advanced?: {horizontalPodAutoscalerConfig?: {behavior?: HorizontalPodAutoscalerBehavior}};
    triggers: Trigger[];
  };
}
