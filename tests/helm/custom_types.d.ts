// The kinds that the chart renders and that are not Kubernetes' own, as far as the chart can set them. Written by hand from
// their references; kubernetes_types.mjs checks rendered documents against them.
import type {ObjectMeta, LabelSelector} from 'kubernetes-types/meta/v1';

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
