#include "broker/config.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "broker/base/ip_address.h"
#include "proto/channel_name.h"
#include "redis/publish_function.h"
#include "redis/redis_settings.h"
#include "settings/log_level_setting.h"
#include "settings/settings.h"

namespace weir {
namespace {

constexpr std::uint64_t kKiB = 1 << 10;
constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kGiB = 1 << 30;
constexpr std::uint64_t kDay = 24 * 60 * 60;  // In seconds.

// Accepts a pattern that could match a channel: with its stars filled in, it must be a channel's name.
std::string check_pattern(const std::string& text) {
  std::string name = text;
  std::replace(name.begin(), name.end(), '*', 'x');
  if (is_channel_name(name)) return {};
  return std::string("must be the pattern of a channel's name, where * stands for any characters; ") +
         kChannelNameRule;
}

// True for a pattern of stars alone.
bool is_everything(const std::string& pattern) {
  return pattern.find_first_not_of('*') == std::string::npos && !pattern.empty();
}

std::string check_redis_url(const std::string& text) {
  if (text.empty()) return "";
  const auto url = parse_redis_url(text);
  return url ? "" : url.error().message;
}

std::string check_prefix(const std::string& text) {
  constexpr std::size_t kPrefixBytesMax = 128;
  const bool is_plain = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
  return is_plain && text.size() <= kPrefixBytesMax
             ? ""
             : "must be at most 128 printable ASCII characters, no spaces";
}

// A stream's key with {channel} in it, and a field's name, are ASCII: enough for those that exist, and any text can
// be shown.
std::string check_redis_name(const std::string& text) {
  constexpr std::size_t kBytesMax = 512;
  const bool is_plain = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
  return is_plain && !text.empty() && text.size() <= kBytesMax
             ? ""
             : "must be 1 to 512 printable ASCII characters, no spaces";
}

bool consists_of(std::string_view text, std::string_view characters) {
  return !text.empty() && text.find_first_not_of(characters) == std::string_view::npos;
}

// Accepts only the browsers' spelling: origins are compared byte by byte, so no other one would ever match.
bool is_origin(std::string_view text) {
  constexpr std::string_view kSmall = "abcdefghijklmnopqrstuvwxyz0123456789";
  const auto scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) return false;
  if (!consists_of(text.substr(0, scheme_end), std::string(kSmall) + "+-.")) return false;
  std::string_view host = text.substr(scheme_end + 3);
  const auto bracket = host.find(']');
  const auto colon = host.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos) {
    if (!parse_port(host.substr(colon + 1))) return false;
    host = host.substr(0, colon);
  }
  if (!host.starts_with('[')) return consists_of(host, std::string(kSmall) + "-._");
  return host.ends_with(']') && consists_of(host.substr(1, host.size() - 2), "0123456789abcdef:.");
}

std::string check_origin(const std::string& text) {
  if (text == "*" || is_origin(text)) return {};
  return "must be scheme://host[:port] in lower case and without a path, as a browser's Origin header has "
         "it, or *";
}

// Accepts a path that is the same however a proxy or a browser writes it (RFC 3986, 6.2).
std::string check_base_path(const std::string& text) {
  constexpr std::size_t kBytesMax = 128;
  constexpr std::string_view kUnreserved =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
  if (text.empty()) return {};
  const bool is_normal = text.starts_with('/') && !text.ends_with('/') && text.size() <= kBytesMax &&
                         text.find("//") == std::string::npos && text.find("/.") == std::string::npos;
  if (is_normal && consists_of(text, kUnreserved)) return {};
  return "must be a path such as /push, of letters, digits and -._~/ and without a slash at its end";
}

std::string check_address_range(const std::string& text) {
  const auto range = parse_address_range(text);
  return range ? std::string() : range.error().message;
}

// RFC 6265, 4.1.1: a cookie's name is a token of HTTP.
std::string check_cookie_name(const std::string& text) {
  constexpr std::string_view kTokenCharacters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~";
  return consists_of(text, kTokenCharacters) ? "" : "must be the name of a cookie, such as weir_token";
}

// The settings that a [[channel]] table may set as well.
std::vector<Setting> channel_rows(ChannelSettings& channel) {
  return {
      Setting::integer("history-messages", channel.history_messages, {0, 1'000'000}, "messages",
                       "The newest messages of a channel that are kept for clients that come back."),
      Setting::bytes("history-bytes", channel.history_bytes, {0, kGiB},
                     "The same in bytes: the first limit counts."),
      Setting::duration("history-seconds", channel.history_seconds, {1, 30 * kDay},
                        "The age at which a message is no longer kept for clients that come back."),
      Setting::integer("queue-messages", channel.queue_messages, {1, 10'000'000}, "messages",
                       "How far a client may lag behind its channel before slow-client applies."),
      Setting::bytes("queue-bytes", channel.queue_bytes, {1, 16 * kGiB},
                     "The same in bytes: the first limit counts."),
      Setting::choice(
          "slow-client", channel.slow_client,
          {{"skip", SlowClientPolicy::kSkip},
           {"disconnect", SlowClientPolicy::kDisconnect},
           {"latest", SlowClientPolicy::kLatest}},
          "What happens to a client that lags too far. skip: it jumps to the newest messages and is told "
          "how many it missed; disconnect: its stream ends and it comes back; latest: it gets the newest "
          "message of each type."),
      Setting::choice(
          "envelope", channel.envelope,
          {{"auto", EnvelopeMode::kAuto}, {"always", EnvelopeMode::kAlways}, {"never", EnvelopeMode::kNever}},
          "Whether a JSON object with data (and id, type, retry) is a message envelope. auto and always: "
          "if it has no other keys, and always counts the rest as an error of the publisher; never: every "
          "payload is delivered as it is."),
      Setting::integer(
          "durable-messages", channel.durable_messages, {1, 10'000'000}, "messages",
          "About how many of the newest messages of a durable channel Redis keeps. It is what this gateway "
          "asks for where it publishes; the smallest number that a publisher asks for counts."),
      Setting::duration("durable-seconds", channel.durable_seconds, {0, 3'650 * kDay},
                        "How long after its last message Redis forgets a durable channel; 0: never."),
  };
}

// Where a channel's messages come from: keys of a [[channel]] table alone.
std::vector<Setting> origin_rows(ChannelRule& rule) {
  return {
      Setting::flag("durable", rule.is_durable,
                    "The channels are durable: what is published to them is kept in Redis, and a client that "
                    "comes back to any gateway gets what it missed. As the setting durable."),
      Setting::choice("source", rule.is_stream, {{"pubsub", false}, {"stream", true}},
                      "stream: the messages are the entries of a Redis Stream that an application fills by "
                      "XADD, with the history that it keeps."),
      Setting::text("stream-key", rule.stream_key,
                    "With source = \"stream\": the stream's key, in which {channel} stands for the channel's "
                    "name; redis-prefix is put before it. Without it the key is the channel's name.",
                    check_redis_name)
          .noting(rule.names_stream),
      Setting::text(
          "stream-field", rule.stream_field,
          "With source = \"stream\": the field of an entry that is the payload. An entry without it "
          "becomes a JSON object of its fields. The field type is the event's type.",
          check_redis_name)
          .noting(rule.names_stream),
  };
}

// All keys of a [[channel]] table but `match`.
std::vector<Setting> rule_rows(ChannelRule& rule) {
  std::vector<Setting> rows;
  for (Setting& row : channel_rows(rule.settings)) {
    rows.push_back(row.name() == "slow-client" ? std::move(row).noting(rule.names_slow_client)
                                               : std::move(row));
  }
  for (Setting& row : origin_rows(rule)) rows.push_back(std::move(row));
  return rows;
}

std::vector<Setting> address_rows(Config& config) {
  return {
      Setting::text(
          "listen", config.listen,
          "Address and port of the public side; port 0 picks a free one. Off loopback it takes keys for "
          "tokens (jwt-secret-file, jwt-public-key-file, jwks-file) or an anonymous-subscribe or "
          "anonymous-publish rule, and a redis-url or --bus memory.",
          check_listen),
      Setting::text("admin-listen", config.admin_listen,
                    "Address and port of health checks and metrics; port 0 picks a free one.", check_listen),
      Setting::text(
          "admin-token-file", config.admin_token_file,
          "A file with the token that the admin side asks for, as Authorization: Bearer, before it names "
          "channels (/channels) or changes the log's level; read again for each request. Without it these "
          "are on loopback only."),
      Setting::text(
          "base-path", config.base_path,
          "A path before all URLs of the public side, such as /push, for a proxy that passes it on.",
          check_base_path),
      Setting::list("cors-origin", config.cors_origin,
                    "An origin whose pages may subscribe and publish, or * for all.", check_origin),
      Setting::list(
          "anonymous-subscribe", config.anonymous_subscribe,
          "A pattern of channels that anybody may subscribe to, without a token. With neither this nor "
          "anonymous-publish nor keys for tokens anybody may do anything, and the gateway listens on "
          "loopback "
          "only.",
          check_pattern),
      Setting::list("anonymous-publish", config.anonymous_publish,
                    "A pattern of channels that anybody may publish to over HTTP, without a token.",
                    check_pattern),
      Setting::list(
          "trusted-proxy", config.trusted_proxy,
          "An address of a proxy, or a range such as 10.0.0.0/8 or 2001:db8::/32, whose X-Forwarded-For is "
          "believed; from anyone else it is ignored.",
          check_address_range),
      Setting::choice("console", config.console,
                      {{"auto", ConsoleMode::kAuto}, {"on", ConsoleMode::kOn}, {"off", ConsoleMode::kOff}},
                      "The console page at /; auto: on loopback only."),
      Setting::choice("clients", config.serves_clients, {{"on", true}, {"off", false}},
                      "The library for browsers at /clients/, for anybody and any origin."),
  };
}

std::vector<Setting> token_rows(Config& config) {
  return {
      Setting::text("jwt-secret-file", config.jwt_secret_file,
                    "A file with the secret of HS256 tokens, at least 32 bytes; a newline at its end is not "
                    "part of it. This file and the next two count together and are read again when they "
                    "change."),
      Setting::text(
          "jwt-public-key-file", config.jwt_public_key_file,
          "A PEM file with the public key of RS256 (RSA, from 2048 bits on), ES256 (P-256) or EdDSA "
          "(Ed25519) tokens, or several."),
      Setting::text("jwks-file", config.jwks_file, "A file with a JWK set: several keys with their ids."),
      Setting::text("jwt-audience", config.jwt_audience,
                    "What the claim aud of a token must name. Without it aud is not looked at."),
      Setting::text("jwt-cookie", config.jwt_cookie, "The name of the cookie that may hold a token.",
                    check_cookie_name),
  };
}

std::vector<Setting> bus_rows(Config& config) {
  return {
      Setting::choice(
          "bus", config.bus,
          {{"auto", BusChoice::kAuto}, {"memory", BusChoice::kMemory}, {"redis", BusChoice::kRedis}},
          "Where messages come from. memory: this process alone; auto: Redis if there is a redis-url, "
          "else memory, which then listens on loopback only."),
      Setting::url(
          "redis-url", config.redis_url,
          "redis://[user:password@]host:port[/db], rediss://… for TLS, or unix://path. A password is "
          "safer in redis-password-file, and in WEIR_REDIS_URL than in a flag, which ps shows.",
          check_redis_url),
      Setting::text("redis-prefix", config.redis_prefix,
                    "Put before the name of every channel on the Redis side.", check_prefix),
      Setting::list(
          "record", config.record,
          "A pattern of channels that are kept subscribed and logged with no client, so that who comes late "
          "finds their history.",
          check_pattern),
      Setting::list("durable", config.durable,
                    "A pattern of durable channels: what is published to them is kept in Redis, and a client "
                    "that comes "
                    "back to any gateway gets what it missed. It takes Redis 7.",
                    check_pattern),
      Setting::duration("linger-seconds", config.linger, {0, kDay},
                        "How long a channel stays subscribed and logged after its last client."),
      Setting::integer("max-publishes-waiting", config.max_publishes_waiting, {1, 1'000'000}, "publishes",
                       "Publishes over HTTP that may wait for Redis; past it they get 503."),
      Setting::duration("publish-timeout-ms", config.publish_timeout, {1, 600'000},
                        "How long a publish waits for Redis before it gets 504."),
  };
}

std::vector<Setting> stream_rows(Config& config) {
  return {
      Setting::duration(
          "heartbeat-seconds", config.heartbeat, {1, 3'600},
          "Silence after which a comment line is sent: it keeps proxies from closing a stream."),
      Setting::duration(
          "retry-ms", config.retry, {1, 30'000},
          "The reconnection time that clients are told; each gets one between this and twice this."),
      Setting::duration(
          "drain-retry-ms", config.drain_retry, {0, 30'000},
          "The reconnection time for clients that a drain ends or turns away, and up to one and a "
          "half times this: short where another gateway is ready. 0: as retry-ms."),
      Setting::duration("stuck-seconds", config.stuck, {1, 3'600},
                        "A client whose connection takes no byte for so long is closed."),
      Setting::duration(
          "max-stream-seconds", config.max_stream, {0, 30 * kDay},
          "The age at which a stream is ended, give or take 20 %, so that load moves to new gateways; "
          "0: never."),
      Setting::duration("drain-seconds", config.drain, {0, 3'600},
                        "After SIGTERM the streams are closed one by one over this time."),
      Setting::duration(
          "ready-without-redis-seconds", config.ready_without_redis, {0, 3'600},
          "How long after the start /readyz waits for Redis to be reached. Then it says ready: no "
          "ready gateway at all ends every EventSource that reconnects."),
      Setting::bytes("socket-unsent-bytes", config.socket_unsent_bytes, {4 * kKiB, kGiB},
                     "Unsent bytes that the kernel may hold for one client (TCP_NOTSENT_LOWAT)."),
  };
}

std::vector<Setting> limit_rows(Config& config) {
  return {
      Setting::bytes("memory-limit", config.memory_limit_bytes, {64 * kKiB, 1'024 * kGiB},
                     "Bytes of the messages of all channels together; past it the oldest go first."),
      Setting::integer("max-clients", config.max_clients, {0, 10'000'000}, "clients",
                       "Streams at the same time; 0: as many as the limit on descriptors allows."),
      Setting::integer("max-clients-per-address", config.max_clients_per_address, {0, 10'000'000}, "clients",
                       "Streams of one client address at the same time, of an IPv6 address those of its /64; "
                       "behind a proxy it takes trusted-proxy. 0: no limit."),
      Setting::integer("max-connects-per-second", config.max_connects_per_second, {0, 1'000'000}, "streams",
                       "New streams a second of all clients together, and as many at once after a quiet "
                       "second; the others are told to come back in 10 to 30 s. 0: no limit."),
      Setting::integer("max-channels", config.max_channels, {1, 10'000'000}, "channels",
                       "Channels open at the same time."),
      Setting::integer("max-channels-per-client", config.max_channels_per_client, {1, 10'000}, "channels",
                       "Channels of one /events stream."),
      Setting::bytes("max-message-bytes", config.max_message_bytes, {1, 512 * kMiB},
                     "The largest message, also once each of its lines is a data: field. A larger one gets "
                     "413 over HTTP, and is "
                     "a weir:gap if it comes from Redis."),
      Setting::integer("max-requests", config.max_requests, {1, 1'000'000}, "requests",
                       "HTTP requests in progress, streams not counted; past it 503."),
      Setting::bytes(
          "request-memory", config.request_memory_bytes, {64 * kKiB, 64 * kGiB},
          "Bytes of all HTTP requests until they are answered, messages that wait for Redis among them; past "
          "it "
          "the slowest one that is still on its way in gets 503. One address may have half of it, or one "
          "message, and gets 429."),
      Setting::bytes("head-bytes", config.head_bytes, {kKiB, kMiB},
                     "The largest request line with its headers."),
      Setting::duration("head-seconds", config.head_seconds, {1, 600},
                        "How long the head of a request may take."),
      Setting::duration("body-seconds", config.body_seconds, {1, 3'600},
                        "How long the body of a request may take."),
      Setting::duration("keep-alive-seconds", config.keep_alive, {1, 3'600},
                        "How long a connection may be idle between two requests."),
  };
}

std::vector<Setting> process_rows(Config& config) {
  return {
      Setting::integer(
          "shards", config.shards, {0, 256}, "threads",
          "Threads that write to streams; 0: one per core, or per core's worth of the cgroup's CPU "
          "quota, rounded up."),
      Setting::integer("http-threads", config.http_threads, {1, 256}, "threads",
                       "Threads that answer HTTP requests."),
      log_level_setting(config.log_level,
                        "The least that is logged, on the standard error stream; read again at SIGHUP."),
      log_format_setting(config.log_format),
      Setting::choice("access-log", config.access_log, {{"on", true}, {"off", false}},
                      "A line (level info) for each stream's start, and one for its end with what it got."),
      Setting::integer("access-log-per-second", config.access_log_per_second, {0, 1'000'000}, "lines",
                       "What comes beyond it is counted and not logged; 0: no limit."),
      Setting::flag("healthcheck", config.healthcheck,
                    "Asks the gateway that runs with this admin-listen whether it is ready, and exits with 0 "
                    "or 1: for HEALTHCHECK of a container."),
      Setting::flag(
          "away", config.away,
          "Answers for gateways that are not ready, and is none: an EventSource gets an empty stream and "
          "comes back, everything else 503. For the default backend of an ingress."),
      Setting::duration(
          "sleep", config.sleep, {0, 3'600},
          "Only waits so long, and exits with 0: for the preStop of a container without a shell. 0: "
          "doesn't."),
      Setting::flag(
          "print-function", config.print_function,
          "Prints the Redis Function of durable channels, and exits with 0: for redis-cli -x FUNCTION "
          "LOAD REPLACE where the gateway may not install it."),
      Setting::text("selftest", config.selftest,
                    "The URL of a gateway, http://host[:port][/base-path]: publishes a message, over Redis "
                    "if there is a "
                    "redis-url and else over HTTP, receives it through that gateway, and exits with 0 or 1."),
      Setting::text("selftest-channel", config.selftest_channel, "The channel of that message.",
                    [](const std::string& text) {
                      return is_channel_name(text)
                                 ? std::string()
                                 : std::string("must be a channel's name; ") + kChannelNameRule;
                    }),
      Setting::text("selftest-token-file", config.selftest_token_file,
                    "A file with the token for it, where there is one."),
  };
}

SettingsTable make_table(Config& config, const ChannelSettings* general = nullptr) {
  SettingsTable table("weir-broker", "the gateway from Redis pub/sub channels to Server-Sent Events.");
  table.section("Addresses and access", address_rows(config));
  table.section("Tokens", token_rows(config));
  table.section("Messages", bus_rows(config));
  table.section("Files for Redis", redis_file_settings(config.redis_files));
  table.section("Channels", channel_rows(config.channel));
  table.section("Streams", stream_rows(config));
  table.section("Limits", limit_rows(config));
  table.section("Process", process_rows(config));
  std::string keys;
  for (const auto& row : channel_rows(config.channel)) keys += (keys.empty() ? "" : ", ") + row.name();
  static ChannelRule shown;  // Its rows are for --help: they are never set.
  table.tables(
      "channel",
      "Settings of the channels whose name matches the pattern `match`: " + keys +
          ". The first table that matches counts; what it leaves out has the value of the setting above. At "
          "SIGHUP the tables are read again, for channels that are opened from then on. Tables alone have "
          "these keys:",
      origin_rows(shown), [&config, general] {
        const ChannelSettings& left_out = general != nullptr ? *general : config.channel;
        auto& rule = config.channel_rules.emplace_back(ChannelRule{"", left_out});
        auto rows = rule_rows(rule);
        rows.push_back(Setting::text("match", rule.match, "A pattern.", check_pattern).required());
        return rows;
      });
  return table;
}

// " ([[channel]] of "log.*")".
std::string in_table(const ChannelRule& rule) { return " ([[channel]] of \"" + rule.match + "\")"; }

std::optional<Error> check_redis(const Config& config) {
  const RedisFiles& files = config.redis_files;
  if (!config.redis_url.empty()) return check_redis_files(*parse_redis_url(config.redis_url), files);
  for (const auto& [name, path] : given_files(files)) {
    return Error{std::string(name) + " = \"" + path + "\": needs a redis-url"};
  }
  return std::nullopt;
}

// The name and value of the first setting, or the table, by which a channel is `source`; nullopt if none is.
std::optional<std::string> who_asks_for(ChannelSource source, const Config& config,
                                        const std::vector<ChannelRule>& rules) {
  if (source == ChannelSource::kDurable && !config.durable.empty()) {
    return "durable = \"" + config.durable.front() + '"';
  }
  for (const ChannelRule& rule : rules) {
    const bool is_durable = source == ChannelSource::kDurable;
    if (is_durable ? !rule.is_durable : !rule.is_stream) continue;
    return std::string(is_durable ? "durable = \"true\"" : "source = \"stream\"") + in_table(rule);
  }
  return std::nullopt;
}

// Checks the rules that no single row can check.
std::optional<Error> check_together(const Config& config, const std::map<std::string, std::string>& sources) {
  const auto refusal = [&](const std::string& name, const std::string& value, const std::string& rule) {
    const auto source = sources.find(name);
    return Error{name + " = \"" + value + "\" (" +
                 (source == sources.end() ? "the default" : source->second) + "): " + rule};
  };
  if (config.bus == BusChoice::kRedis && config.redis_url.empty()) {
    return refusal("bus", "redis", "needs a redis-url, such as --redis-url redis://127.0.0.1:6379");
  }
  if (config.bus == BusChoice::kMemory && !config.redis_url.empty()) {
    return refusal("bus", "memory", "can't be used with a redis-url; leave out one of the two");
  }
  if (auto error = check_redis(config)) return error;
  if (auto error = check_sources(config, config.channel_rules)) return error;
  if (config.listen == config.admin_listen && parse_listen_address(config.listen)->port != 0) {
    return refusal("admin-listen", config.admin_listen, "must not be the address of listen");
  }
  if (!config.jwt_audience.empty() && !has_keys(config)) {
    return refusal(
        "jwt-audience", config.jwt_audience,
        "needs keys, without which no token is looked at: --jwt-secret-file, --jwt-public-key-file "
        "or --jwks-file");
  }
  if (parse_listen_address(config.listen)->is_loopback()) return std::nullopt;
  if (!has_keys(config) && config.anonymous_subscribe.empty() && config.anonymous_publish.empty()) {
    return refusal("listen", config.listen,
                   "is not loopback, and nothing says who may come in; allow it with keys for tokens "
                   "(--jwt-secret-file, "
                   "--jwt-public-key-file, --jwks-file), with --anonymous-subscribe PATTERN, "
                   "--anonymous-publish PATTERN "
                   "or both (\"*\" is every channel)");
  }
  if (config.bus == BusChoice::kAuto && config.redis_url.empty()) {
    return refusal("listen", config.listen,
                   "is not loopback, and there is no Redis; set --redis-url, or --bus memory for a gateway "
                   "that is alone");
  }
  return std::nullopt;
}

// What is left of the settings for --away: nobody is let in, and nothing is carried.
Config without_channels(Config config) {
  config.bus = BusChoice::kMemory;
  config.redis_url.clear();
  config.record.clear();
  config.durable.clear();
  config.jwt_secret_file.clear();
  config.jwt_public_key_file.clear();
  config.jwks_file.clear();
  return config;
}

// Without a prefix every application on that Redis shares the channels.
void warn_of_open_redis(const Config& config, std::vector<std::string>& warnings) {
  if (config.redis_url.empty() || !config.redis_prefix.empty()) return;
  const auto warn = [&](const std::string& name, const std::vector<std::string>& patterns, const char* may) {
    if (std::none_of(patterns.begin(), patterns.end(), is_everything)) return;
    warnings.push_back(name + " = \"*\" without a redis-prefix: anybody may " + may +
                       " every channel of this Redis, those of other applications too");
  };
  warn("anonymous-subscribe", config.anonymous_subscribe, "read");
  warn("anonymous-publish", config.anonymous_publish, "publish to");
}

}  // namespace

Result<CommandLine> read_settings(int argc, const char* const* argv, const char* const* environment,
                                  const ChannelSettings* general) {
  CommandLine line;
  auto table = make_table(line.config, general);
  auto outcome = table.read(argc, argv, environment);
  if (!outcome) return outcome.error();
  line.warnings = std::move(outcome->warnings);
  line.text = std::move(outcome->text);
  line.config_path = std::move(outcome->config_path);
  // Help, health checks and sleeps need no more than their own settings: the gateway itself may have the rest
  // as flags.
  if (line.config.print_function) line.text = kPublishFunction;
  if (line.text || line.config.healthcheck || line.config.sleep.count() > 0 || !line.config.selftest.empty())
    return line;
  if (line.config.away) {
    line.config = without_channels(line.config);
    return line;
  }
  if (auto error = check_together(line.config, outcome->sources)) return *error;
  if (line.config.request_memory_bytes < line.config.head_bytes + line.config.max_message_bytes) {
    line.warnings.emplace_back(
        "request-memory is less than head-bytes and max-message-bytes together: the largest "
        "messages can't be published over HTTP");
  }
  warn_of_open_redis(line.config, line.warnings);
  return line;
}

std::vector<std::string> settings_for_a_restart(const Config& running, const Config& read) {
  // The table binds its rows to variables that it may set, hence the copies.
  Config before = running;
  Config after = read;
  const auto values = make_table(after).values();
  std::vector<std::string> names;
  for (const auto& [name, value] : make_table(before).values()) {
    if (name != "log-level" && values.at(name) != value) names.push_back(name);
  }
  return names;
}

std::string changed_settings(const Config& config) {
  Config defaults;
  Config changed = config;
  const SettingsTable table = make_table(defaults);
  std::string text;
  for (const auto& [name, value] : make_table(changed).changes(table)) {
    if (!text.empty()) text += ' ';
    text.append(name).append("=").append(value);
  }
  return text;
}

bool uses_redis(const Config& config) {
  return config.bus == BusChoice::kRedis || (config.bus == BusChoice::kAuto && !config.redis_url.empty());
}

bool has_keys(const Config& config) {
  return !config.jwt_secret_file.empty() || !config.jwt_public_key_file.empty() || !config.jwks_file.empty();
}

const ChannelSettings& settings_of(const std::vector<ChannelRule>& rules, const ChannelSettings& general,
                                   std::string_view channel) {
  for (const auto& rule : rules) {
    if (matches_pattern(rule.match, channel)) return rule.settings;
  }
  return general;
}

std::optional<Error> check_sources(const Config& config, const std::vector<ChannelRule>& rules) {
  for (const ChannelRule& rule : rules) {
    if (rule.is_durable && rule.is_stream) {
      return Error{"durable = \"true\"" + in_table(rule) +
                   ": can't be used with source = \"stream\"; leave out one of the two"};
    }
    if (rule.names_stream && !rule.is_stream) {
      return Error{"stream-key, stream-field" + in_table(rule) + ": need source = \"stream\""};
    }
  }
  const auto durable = who_asks_for(ChannelSource::kDurable, config, rules);
  const auto followed = who_asks_for(ChannelSource::kStream, config, rules);
  if ((durable || followed) && !uses_redis(config)) {
    return Error{(durable ? *durable : *followed) + ": needs Redis: set --redis-url redis://host:port"};
  }
  if (durable && config.redis_prefix.find_first_of("{}") != std::string::npos) {
    return Error{*durable + ": can't be used with a brace in redis-prefix, \"" + config.redis_prefix +
                 "\", since a durable channel's key has braces of its own"};
  }
  return std::nullopt;
}

bool has_channels_from(const Config& config, ChannelSource source) {
  return who_asks_for(source, config, config.channel_rules).has_value();
}

ChannelOrigin origin_of(const Config& config, const std::vector<ChannelRule>& rules,
                        std::string_view channel) {
  ChannelOrigin origin;
  for (const auto& rule : rules) {
    if (!matches_pattern(rule.match, channel)) continue;
    origin.names_slow_client = rule.names_slow_client;
    if (rule.is_durable) origin.source = ChannelSource::kDurable;
    if (rule.is_stream) {
      origin.source = ChannelSource::kStream;
      origin.stream_key = rule.stream_key.empty() ? std::string(channel) : rule.stream_key;
      constexpr std::string_view kName = "{channel}";
      for (auto at = origin.stream_key.find(kName); at != std::string::npos;
           at = origin.stream_key.find(kName, at + channel.size())) {
        origin.stream_key.replace(at, kName.size(), channel);
      }
      origin.stream_field = rule.stream_field;
      return origin;
    }
    break;
  }
  const auto matches = [&](const std::string& pattern) { return matches_pattern(pattern, channel); };
  if (std::any_of(config.durable.begin(), config.durable.end(), matches))
    origin.source = ChannelSource::kDurable;
  return origin;
}

const ChannelSettings& settings_of(const Config& config, std::string_view channel) {
  return settings_of(config.channel_rules, config.channel, channel);
}

namespace {

// What the chart sets itself, from other values, and what makes another program of the gateway.
const std::set<std::string>& settings_of_the_chart() {
  static const std::set<std::string> kNames{"listen",           "admin-listen",
                                            "admin-token-file", "bus",
                                            "redis-url",        "redis-password-file",
                                            "redis-ca-file",    "redis-certificate-file",
                                            "redis-key-file",   "away",
                                            "healthcheck",      "sleep",
                                            "print-function",   "selftest",
                                            "selftest-channel", "selftest-token-file"};
  return kNames;
}

// Puts `value` in place of the block that begins with `"name": {` and four spaces.
std::optional<Error> replace_value(std::string& schema, const std::string& name, const std::string& value) {
  const std::string head = "\n    \"" + name + "\": {\n";
  const auto start = schema.find(head);
  const auto end = start == std::string::npos ? start : schema.find("\n    }", start);
  if (end == std::string::npos) return Error{"the chart's schema has no value " + name};
  schema.replace(start + head.size(), end + 1 - start - head.size(), value);
  return std::nullopt;
}

}  // namespace

Result<std::string> chart_schema(const std::string& schema) {
  std::string result = schema;
  Config config;
  const std::string settings =
      R"json(      "description": "The settings of weir-broker by the name of their flag. The chart sets the others.",
      "type": "object",
      "additionalProperties": false,
      "properties": {
)json" +
      make_table(config).schema_properties(settings_of_the_chart(), 8) + "      }\n";
  if (const auto error = replace_value(result, "config", settings)) return *error;
  std::string channels =
      R"json(      "description": "The [[channel]] tables. The first one that matches a channel counts.",
      "type": "array",
      "items": {
        "type": "object",
        "required": ["match"],
        "minProperties": 2,
        "additionalProperties": false,
        "properties": {
          "match": {"type": "string", "pattern": "^[A-Za-z0-9_.:@*-]{1,128}$", "not": {"pattern": "^(__|weir:|[.]{1,2}$)"}})json";
  ChannelRule rule;
  for (const auto& row : rule_rows(rule)) channels += ",\n          " + schema_property(row);
  channels += "\n        }\n      }\n";
  if (const auto error = replace_value(result, "channels", channels)) return *error;
  return result;
}

std::string settings_markdown() {
  Config config;
  return make_table(config).markdown();
}

}  // namespace weir
