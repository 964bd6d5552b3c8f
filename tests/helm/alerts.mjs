// For each alert: what a gateway shows while it fires, and something near it at which it is silent. Values are those of
// one sample each 15 s ("0x4" is five zeros, "0+2x4" grows by two each time); `minutes` is when the alert is looked at.
const pod = 'namespace="ns",pod="r-weir-6d4cf56db6-abcd0"';
const of = (metric, labels = '') => `${metric}{${pod}${labels && `,${labels}`}}`;
const histogram = (metric, below, above, labels = '') => Object.fromEntries([
  [of(`${metric}_bucket`, `le="${below[0]}"${labels && `,${labels}`}`), below[1]],
  [of(`${metric}_bucket`, `le="${above[0]}"${labels && `,${labels}`}`), above[1]],
  [of(`${metric}_bucket`, `le="+Inf"${labels && `,${labels}`}`), above[1]],
]);
const repeated = (pattern, times) => Array(times).fill(pattern).join(' ');
const closed = (reason) => of('weir_streams_closed_total', `reason="${reason}"`);
const refused = (reason) => of('weir_http_refused_total', `reason="${reason}"`);
const gaps = (reason) => of('weir_gaps_total', `reason="${reason}"`);

export const cases = [
  {alert: 'WeirTargetDown', what: 'a pod does not answer', fires: true, minutes: 4, series: {[of('up')]: '1 0x20'}},
  {alert: 'WeirTargetDown', what: 'one scrape is lost', fires: false, minutes: 4, series: {[of('up')]: '1x3 0 1x20'}},
  {alert: 'WeirTargetDown', what: 'another release is down', fires: false, minutes: 4, series: {'up{namespace="ns",pod="other-0"}': '0x20'}},
  {alert: 'WeirAbsent', what: 'there is no target', fires: true, minutes: 8, series: {'up{namespace="ns",pod="other-0"}': '1x40'}},
  {alert: 'WeirAbsent', what: 'the last target vanishes', fires: true, minutes: 15, series: {[of('weir_clients')]: '5x10 stale'}},
  {alert: 'WeirAbsent', what: 'one gateway is there', fires: false, minutes: 8, series: {[of('weir_clients')]: '0x40'}},
  {alert: 'WeirRestarts', what: 'a crash loop', fires: true, minutes: 12, series: {[of('process_start_time_seconds')]: '100x9 200x9 300x9 400x30'}},
  {alert: 'WeirRestarts', what: 'one restart', fires: false, minutes: 12, series: {[of('process_start_time_seconds')]: '100x9 200x50'}},
  {alert: 'WeirRedisDown', what: 'Redis is away', fires: true, minutes: 3, series: {[of('weir_redis_up')]: '1 0x20'}},
  {alert: 'WeirRedisDown', what: 'Redis was away for half a minute', fires: false, minutes: 3, series: {[of('weir_redis_up')]: '1x4 0x1 1x20'}},
  {alert: 'WeirRedisNotReached', what: 'ready without Redis', fires: true, minutes: 3, series: {[of('weir_redis_reached')]: '0x20'}},
  {alert: 'WeirRedisNotReached', what: 'reached after a moment', fires: false, minutes: 3, series: {[of('weir_redis_reached')]: '0x1 1x20'}},
  {alert: 'WeirRedisFlaps', what: 'down 30 s of each 90 s', fires: true, minutes: 9, series: {
    [of('weir_redis_up')]: repeated('1 1 1 1 0 0', 10), [of('weir_redis_reconnects_total')]: '0x60'}},
  {alert: 'WeirRedisFlaps', what: 'cuts that no scrape sees', fires: true, minutes: 9, series: {
    [of('weir_redis_up')]: '1x60', [of('weir_redis_reconnects_total')]: '0x9 1x9 2x9 4x40'}},
  {alert: 'WeirRedisFlaps', what: 'one long outage', fires: false, minutes: 9, series: {
    [of('weir_redis_up')]: '1x9 0x9 1x40', [of('weir_redis_reconnects_total')]: '0x9 1x50'}},
  {alert: 'WeirRedisSlow', what: 'answers take seconds', fires: true, minutes: 18, series:
    histogram('weir_redis_round_trip_seconds', ['0.5', '0x80'], ['2.5', '0+3x80'], 'connection="publisher"')},
  {alert: 'WeirRedisSlow', what: 'answers take milliseconds', fires: false, minutes: 18, series:
    histogram('weir_redis_round_trip_seconds', ['0.5', '0+3x80'], ['2.5', '0+3x80'], 'connection="publisher"')},
  {alert: 'WeirSubscriptionsNotAcknowledged', what: 'Redis confirms nothing', fires: true, minutes: 4, series: {
    [of('weir_redis_subscriptions_wanted')]: '7x20', [of('weir_redis_subscriptions_acknowledged')]: '6x20'}},
  {alert: 'WeirSubscriptionsNotAcknowledged', what: 'all are confirmed', fires: false, minutes: 4, series: {
    [of('weir_redis_subscriptions_wanted')]: '7x20', [of('weir_redis_subscriptions_acknowledged')]: '7x20'}},
  {alert: 'WeirFunctionNotInstalled', what: 'Redis refuses it at each connect', fires: true, minutes: 30, series: {
    [of('weir_redis_function_checks_total', 'outcome="refused"')]: '0x90 1x30', [of('process_start_time_seconds')]: '0x120'}},
  {alert: 'WeirFunctionNotInstalled', what: 'it was refused before the first scrape', fires: true, minutes: 5, series: {
    [of('weir_redis_function_checks_total', 'outcome="refused"')]: '1x60', [of('process_start_time_seconds')]: '0x60'}},
  {alert: 'WeirFunctionNotInstalled', what: 'it was refused an hour ago', fires: false, minutes: 60, series: {
    [of('weir_redis_function_checks_total', 'outcome="refused"')]: '1x240', [of('process_start_time_seconds')]: '0x240'}},
  {alert: 'WeirFunctionNotInstalled', what: 'it is there', fires: false, minutes: 5, series: {
    [of('weir_redis_function_checks_total', 'outcome="refused"')]: '0x60', [of('weir_redis_function_checks_total', 'outcome="present"')]: '0+1x60',
    [of('process_start_time_seconds')]: '0x60'}},
  {alert: 'WeirHistoryNotRead', what: 'reads wait and none is answered', fires: true, minutes: 5, series: {
    [of('weir_redis_history_reads_waiting')]: '0x4 7x20', [of('weir_redis_history_reads_total')]: '0+9x4 36x20'}},
  {alert: 'WeirHistoryNotRead', what: 'many wait and all are answered', fires: false, minutes: 5, series: {
    [of('weir_redis_history_reads_waiting')]: '200x30', [of('weir_redis_history_reads_total')]: '0+900x30'}},
  {alert: 'WeirHistoryNotRead', what: 'there is nothing to read', fires: false, minutes: 5, series: {
    [of('weir_redis_history_reads_waiting')]: '0x30', [of('weir_redis_history_reads_total')]: '5x30'}},
  {alert: 'WeirNearlyFull', what: 'nine of ten places are taken', fires: true, minutes: 7, series: {
    [of('weir_clients')]: '900x40', [of('weir_clients_limit')]: '1000x40'}},
  {alert: 'WeirNearlyFull', what: 'half of the places are taken', fires: false, minutes: 7, series: {
    [of('weir_clients')]: '500x40', [of('weir_clients_limit')]: '1000x40'}},
  {alert: 'WeirRefusesClients', what: 'refusals for ten minutes', fires: true, minutes: 10, series: {[refused('clients')]: '0+1x40'}},
  {alert: 'WeirRefusesClients', what: 'rules refuse', fires: false, minutes: 10, series: {[refused('subscribe-rule')]: '0+1x40'}},
  {alert: 'WeirRefusesManyAtOnce', what: '100 clients refused at once', fires: true, minutes: 3, series: {[refused('clients')]: '0x4 100x20'}},
  {alert: 'WeirRefusesManyAtOnce', what: 'ten refused at once', fires: false, minutes: 3, series: {[refused('clients')]: '0x4 10x20'}},
  {alert: 'WeirOutOfDescriptors', what: 'no connection was accepted', fires: true, minutes: 3, series: {[of('weir_http_accept_pauses_total')]: '0x4 1x20'}},
  {alert: 'WeirOutOfDescriptors', what: 'all were accepted', fires: false, minutes: 3, series: {[of('weir_http_accept_pauses_total')]: '4x20'}},
  {alert: 'WeirMassDisconnect', what: '800 of 1000 are cut, and come back at once', fires: true, minutes: 21.5, series: {
    [of('weir_clients')]: '1000x120', [closed('client-gone')]: '0+2x80 962x40'}},
  {alert: 'WeirMassDisconnect', what: 'a steady coming and going', fires: false, minutes: 21.5, series: {
    [of('weir_clients')]: '1000x120', [closed('client-gone')]: '0+100x120'}},
  {alert: 'WeirMassDisconnect', what: 'a drain', fires: false, minutes: 21.5, series: {
    [of('weir_clients')]: '1000x80 0x40', [closed('drain')]: '0x80 1000x40', [closed('client-gone')]: '0+2x120'}},
  {alert: 'WeirMassDisconnect', what: 'a few clients leave', fires: false, minutes: 21.5, series: {
    [of('weir_clients')]: '20x120', [closed('client-gone')]: '0x80 20x40'}},
  {alert: 'WeirMessagesEvicted', what: 'messages go for ten minutes', fires: true, minutes: 11, series: {[of('weir_frames_evicted_total')]: '0+5x50'}},
  {alert: 'WeirMessagesEvicted', what: 'none goes', fires: false, minutes: 11, series: {[of('weir_frames_evicted_total')]: '5x50'}},
  {alert: 'WeirMemoryNearLimit', what: 'nearly all is used', fires: true, minutes: 7, series: {
    [of('weir_container_memory_bytes')]: '950x40', [of('weir_container_memory_limit_bytes')]: '1000x40'}},
  {alert: 'WeirMemoryNearLimit', what: 'half of it is used', fires: false, minutes: 7, series: {
    [of('weir_container_memory_bytes')]: '500x40', [of('weir_container_memory_limit_bytes')]: '1000x40'}},
  {alert: 'WeirMemoryNearLimit', what: 'there is no limit', fires: false, minutes: 7, series: {
    [of('weir_container_memory_bytes')]: '0x40', [of('weir_container_memory_limit_bytes')]: '0x40'}},
  {alert: 'WeirGaps', what: 'gaps for a quarter of an hour', fires: true, minutes: 20, series: {[gaps('memory')]: '0+1x90'}},
  {alert: 'WeirGaps', what: 'one gap', fires: false, minutes: 20, series: {[gaps('memory')]: '0x30 1x60'}},
  {alert: 'WeirManyGapsAtOnce', what: '1000 gaps in a moment', fires: true, minutes: 3, series: {[gaps('bus-down')]: '0x4 1000x20'}},
  {alert: 'WeirManyGapsAtOnce', what: 'some gaps of clients that came back', fires: false, minutes: 3, series: {
    [gaps('bus-down')]: '0x4 30x20', [gaps('history')]: '0x4 1000x20'}},
  {alert: 'WeirSlowDelivery', what: 'batches take seconds', fires: true, minutes: 18, series:
    histogram('weir_delivery_seconds', ['0.5', '0x80'], ['2.5', '0+3x80'])},
  {alert: 'WeirSlowDelivery', what: 'batches take milliseconds', fires: false, minutes: 18, series:
    histogram('weir_delivery_seconds', ['0.01', '0+3x80'], ['2.5', '0+3x80'])},
  {alert: 'WeirSlowStarts', what: 'heads wait for two seconds', fires: true, minutes: 18, series:
    histogram('weir_stream_start_seconds', ['1', '0x80'], ['2.5', '0+3x80'])},
  {alert: 'WeirSlowStarts', what: 'heads come at once', fires: false, minutes: 18, series:
    histogram('weir_stream_start_seconds', ['0.01', '0+3x80'], ['2.5', '0+3x80'])},
  {alert: 'WeirPublishesFail', what: 'Redis does not confirm', fires: true, minutes: 11, series: {[of('weir_publishes_total', 'outcome="unknown"')]: '0+1x50'}},
  {alert: 'WeirPublishesFail', what: 'all are delivered', fires: false, minutes: 11, series: {[of('weir_publishes_total', 'outcome="delivered"')]: '0+1x50'}},
  {alert: 'WeirTokensRefused', what: 'two bad tokens a second', fires: true, minutes: 9, series: {[refused('token-bad')]: '0+30x50'}},
  {alert: 'WeirTokensRefused', what: 'one bad token a minute', fires: false, minutes: 9, series: {[refused('token-bad')]: '0+0.25x50'}},
  {alert: 'WeirKeysNotRead', what: 'a key file is broken', fires: true, minutes: 3, series: {[of('weir_key_reloads_total', 'outcome="failed"')]: '0x4 1x20'}},
  {alert: 'WeirKeysNotRead', what: 'a key file is read again', fires: false, minutes: 3, series: {[of('weir_key_reloads_total', 'outcome="ok"')]: '0x4 1x20'}},
  {alert: 'WeirLogLinesLost', what: 'lines are dropped', fires: true, minutes: 3, series: {[of('weir_log_lines_lost_total')]: '0x4 12x20'}},
  {alert: 'WeirLogLinesLost', what: 'none is dropped', fires: false, minutes: 3, series: {[of('weir_log_lines_lost_total')]: '12x20'}},
];
