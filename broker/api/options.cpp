#include "broker/api/options.h"

#include <vector>

#include "broker/base/ip_address.h"

namespace weir {
namespace {

// For Redis to be reached again, for probes, scrapes and files: they must work while clients fill the rest.
constexpr std::size_t kDescriptorsKept = 16;

std::vector<AddressRange> address_ranges(const std::vector<std::string>& texts) {
  std::vector<AddressRange> ranges;
  ranges.reserve(texts.size());
  for (const std::string& text : texts) ranges.push_back(*parse_address_range(text));
  return ranges;
}

FrontOptions front_options(const Config& config) {
  return {.head_bytes_max = config.head_bytes,
          .body_bytes_max = config.max_message_bytes,
          .request_bytes_max = config.request_memory_bytes,
          .head_timeout = config.head_seconds,
          .body_timeout = config.body_seconds,
          .keep_alive_timeout = config.keep_alive,
          .descriptors_kept = kDescriptorsKept,
          .trusted_proxies = address_ranges(config.trusted_proxy)};
}

// Probes and scrapes are small and few, and are answered even while the public side is full.
FrontOptions admin_front_options(const Config& config) {
  FrontOptions options = front_options(config);
  options.body_bytes_max = 4'096;
  options.request_bytes_max = 1 << 20;
  options.descriptors_kept = 0;
  return options;
}

}  // namespace

bool is_loopback(const std::string& listen) { return parse_listen_address(listen)->is_loopback(); }

ServerOptions server_options(const Config& config) {
  const ListenAddress listen = *parse_listen_address(config.listen);
  const ListenAddress admin_listen = *parse_listen_address(config.admin_listen);
  return {.public_side = {.name = "listen",
                          .host = listen.host,
                          .port = listen.port,
                          .front = front_options(config),
                          .threads = config.http_threads,
                          .requests_max = config.max_requests},
          .admin_side = {.name = "admin-listen",
                         .host = admin_listen.host,
                         .port = admin_listen.port,
                         .front = admin_front_options(config),
                         .threads = 1,
                         .requests_max = 64}};
}

RouteOptions route_options(const Config& config, std::uint64_t random, bool has_keys) {
  const bool is_local = is_loopback(config.listen);
  return {
      .access = {.anonymous_subscribe = config.anonymous_subscribe,
                 .anonymous_publish = config.anonymous_publish,
                 .cors_origins = config.cors_origin,
                 .is_loopback = is_local,
                 .has_keys = has_keys},
      .channels_per_client_max = config.max_channels_per_client,
      .has_console = config.console == ConsoleMode::kOn || (config.console == ConsoleMode::kAuto && is_local),
      .has_clients = config.serves_clients,
      .base_path = config.base_path,
      .cookie_name = config.jwt_cookie,
      .retry = config.retry,
      .drain_retry = config.drain_retry,
      .random = random};
}

AdminOptions admin_options(const Config& config) {
  return {.is_loopback = is_loopback(config.admin_listen),
          .token_file = config.admin_token_file,
          .ready_without_redis = config.ready_without_redis};
}

}  // namespace weir
