// The settings of weir-broker. One table in config.cpp names each of them once: flag, environment
// variable, TOML key, unit, range and help. --help, docs/settings.md and the tests walk it. The
// members here hold the defaults.
//
// Threads: any for all functions. A Config is read on main and does not change afterwards.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/logging.h"
#include "broker/base/slow_client_policy.h"
#include "proto/envelope.h"
#include "proto/result.h"
#include "redis/redis_files.h"
#include "settings/listen_address.h"

namespace weir {

// The settings that a [[channel]] table may change.
struct ChannelSettings {
  std::size_t history_messages = 100;
  std::size_t history_bytes = 1 << 20;
  std::chrono::seconds history_seconds{300};
  std::size_t queue_messages = 10'000;
  std::size_t queue_bytes = 4 << 20;
  SlowClientPolicy slow_client = SlowClientPolicy::kSkip;
  EnvelopeMode envelope = EnvelopeMode::kAuto;
  // What Redis keeps of a durable channel.
  std::uint64_t durable_messages = 1'000;
  std::chrono::seconds durable_seconds{7 * 24 * 60 * 60};  // Since the last message; 0: for ever.
};

// Where the messages of a channel come from.
enum class ChannelSource : std::uint8_t {
  kPubSub,   // Redis pub/sub, at most once.
  kDurable,  // A Redis Stream that weir_publish fills.
  kStream,   // A Redis Stream that somebody else fills.
};

// One [[channel]] table of the TOML file. The first one that matches a channel counts.
struct ChannelRule {
  std::string match;  // A pattern (proto/channel_name.h).
  // A key that the table leaves out takes the value of the general setting.
  ChannelSettings settings;
  bool names_slow_client = false;  // It has the key slow-client: a durable channel obeys it then.
  bool is_durable = false;
  // source = "stream": the stream's key, in which {channel} stands for the channel's name, and the field that is
  // the payload. An empty key is the channel's name.
  bool is_stream = false;
  std::string stream_key = {};
  std::string stream_field = "data";
  bool names_stream = false;  // It has the key stream-key or stream-field.
};

// The source of messages.
enum class BusChoice {
  kAuto,  // Redis if there is a URL, else memory (on loopback only).
  kMemory,
  kRedis,
};

enum class ConsoleMode {
  kAuto,  // Served on loopback only.
  kOn,
  kOff,
};

struct Config {
  std::string listen = "127.0.0.1:8080";
  std::string admin_listen = "127.0.0.1:8081";
  std::string admin_token_file;  // Empty: no token.
  std::string base_path;         // Empty: the public side's URLs begin at /.

  BusChoice bus = BusChoice::kAuto;
  std::string redis_url;  // Empty: none.
  RedisFiles redis_files;
  std::string redis_prefix;

  ChannelSettings channel;
  std::vector<ChannelRule> channel_rules;
  // Patterns of channels that are kept subscribed and logged without a client.
  std::vector<std::string> record;
  // Patterns of durable channels, besides the rules'.
  std::vector<std::string> durable;
  std::chrono::seconds linger{120};
  std::size_t memory_limit_bytes = 256 << 20;  // Bytes of the frames of all channels together.

  std::chrono::seconds heartbeat{15};
  // The reconnection time told to clients: jittered, up to twice this.
  std::chrono::milliseconds retry{2'000};
  // The same when a drain ends a stream: jittered, up to one and a half times this. 0: as retry.
  std::chrono::milliseconds drain_retry{0};
  std::chrono::seconds stuck{60};      // A socket that accepts nothing for this long is closed.
  std::chrono::seconds max_stream{0};  // 0: never. Jittered by 20 %.
  std::chrono::seconds drain{10};
  std::chrono::seconds ready_without_redis{10};  // Since the start.
  std::size_t socket_unsent_bytes = 128 << 10;

  std::vector<std::string> cors_origin;
  // Patterns. If both are empty and there are no keys: anyone, and on loopback only.
  std::vector<std::string> anonymous_subscribe;
  std::vector<std::string> anonymous_publish;
  std::vector<std::string> trusted_proxy;  // Ranges (ip_address.h) whose X-Forwarded-For is trusted.
  // Paths of files with the keys for tokens; empty: none.
  std::string jwt_secret_file;
  std::string jwt_public_key_file;
  std::string jwks_file;
  std::string jwt_audience;  // Empty: any.
  std::string jwt_cookie = "weir_token";
  ConsoleMode console = ConsoleMode::kAuto;
  bool serves_clients = true;  // The library for browsers.

  std::size_t max_clients = 0;              // 0: as many as the descriptor limit allows, less a reserve.
  std::size_t max_clients_per_address = 0;  // 0: no limit. IPv6 is counted by /64.
  std::size_t max_connects_per_second = 0;  // New streams; 0: no limit.
  std::size_t max_channels = 100'000;
  std::size_t max_channels_per_client = 100;
  std::size_t max_message_bytes = 4 << 20;
  std::size_t max_requests = 1'024;             // Whole requests in progress; past it 503.
  std::size_t request_memory_bytes = 64 << 20;  // Bytes of all requests until they are answered.
  std::size_t head_bytes = 16 << 10;
  std::chrono::seconds head_seconds{10};
  std::chrono::seconds body_seconds{30};
  std::chrono::seconds keep_alive{75};  // An idle connection between two requests.
  std::size_t max_publishes_waiting = 10'000;
  std::chrono::milliseconds publish_timeout{5'000};

  std::size_t shards = 0;  // 0: one per usable core (process/processors.h).
  std::size_t http_threads = 4;
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
  bool access_log = true;
  std::size_t access_log_per_second = 20;  // Lines; 0: all.
  bool healthcheck = false;                // Ask a running gateway instead of being one.
  bool away = false;                       // Answer for gateways that are not ready, and be none.
  std::chrono::seconds sleep{0};           // Only wait, and end. 0: don't.
  bool print_function = false;             // Print the function of durable channels, and end.
  std::string selftest;                    // The URL of a gateway to try, instead of being one; empty: don't.
  std::string selftest_channel = "selftest";
  std::string selftest_token_file;
};

// The result of read_settings().
struct CommandLine {
  Config config;
  // --help, --version or --print-function: print this and exit with 0.
  std::optional<std::string> text;
  std::vector<std::string> warnings;  // For the log, such as unknown WEIR_* variables.
  std::string config_path;            // The path of the TOML file; empty for none.
};

// Reads flags over environment over the TOML file (--config) over defaults. The error is one line
// that names the setting, its value and what is accepted: print it and exit with 2. `environment`
// has the shape of environ. A running gateway passes its `general` settings, which fill in the keys
// that [[channel]] tables leave out.
Result<CommandLine> read_settings(int argc, const char* const* argv, const char* const* environment,
                                  const ChannelSettings* general = nullptr);

// The names of the settings in `read` that differ from `running` and apply only after a restart: all but
// log-level and the [[channel]] tables.
std::vector<std::string> settings_for_a_restart(const Config& running, const Config& read);

// The settings that are not their defaults, in one line for the log: "heartbeat-seconds=20 max-clients=100".
// Passwords are hidden.
std::string changed_settings(const Config& config);

// True if messages come from Redis, false if from this process alone.
bool uses_redis(const Config& config);

// True if there are keys. Then everybody needs a token unless an anonymous rule lets them in.
bool has_keys(const Config& config);

// The settings of `channel`: those of the first rule that matches, else the general ones.
const ChannelSettings& settings_of(const std::vector<ChannelRule>& rules, const ChannelSettings& general,
                                   std::string_view channel);
const ChannelSettings& settings_of(const Config& config, std::string_view channel);

// An error if durable or followed channels, by `rules` and the rest of `config`, can't be. A running gateway passes
// its settings in force with the rules that it has read again.
std::optional<Error> check_sources(const Config& config, const std::vector<ChannelRule>& rules);

// How the messages of `channel` arrive: by the first rule that matches, and by --durable.
struct ChannelOrigin {
  ChannelSource source = ChannelSource::kPubSub;
  std::string stream_key = {};    // kStream: with the channel's name filled in.
  std::string stream_field = {};  // kStream.
  // A durable or followed channel's rule names what happens to slow clients. Otherwise they read history.
  bool names_slow_client = false;
};
// True if a setting or a rule asks for channels of this source.
bool has_channels_from(const Config& config, ChannelSource source);
ChannelOrigin origin_of(const Config& config, const std::vector<ChannelRule>& rules,
                        std::string_view channel);

// The content of docs/settings.md: --help in Markdown.
std::string settings_markdown();
// helm/weir/values.schema.json with the values "config" and "channels" as the table has them; the rest is as in
// `schema`. An error if `schema` has no such values where they are expected.
Result<std::string> chart_schema(const std::string& schema);

}  // namespace weir
