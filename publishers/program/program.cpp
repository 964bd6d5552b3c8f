#include "publishers/program/program.h"

#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <utility>

#include "process/standard_descriptors.h"
#include "proto/channel_name.h"
#include "publishers/delivery/sink.h"
#include "publishers/delivery/target.h"
#include "publishers/program/metrics_server.h"
#include "publishers/program/program_log.h"
#include "redis/redis_settings.h"
#include "settings/listen_address.h"
#include "settings/log_level_setting.h"

namespace weir {
namespace {

std::string check_target(const std::string& text) {
  const auto target = parse_target(text);
  return target ? "" : target.error().message;
}

// Checks that the files fit the URL.
std::optional<Error> check_files(const Target& target, const RedisFiles& files) {
  if (target.kind == Target::Kind::kRedis) return check_redis_files(target.redis, files);
  for (const auto& [name, path] : given_files(files)) {
    return Error{std::string(name) + " = \"" + path + "\": is for a Redis, and --to is a gateway"};
  }
  return std::nullopt;
}

// Checks that the settings of durable channels fit the target, and each other.
std::optional<Error> check_durable(const Target& target, const CommonSettings& settings,
                                   const std::map<std::string, std::string>& sources) {
  const bool is_redis = target.kind == Target::Kind::kRedis;
  for (const char* name : {"durable-messages", "durable-seconds"}) {
    if (sources.count(name) > 0 && !settings.is_durable)
      return Error{std::string(name) + ": is for --durable"};
  }
  if (!settings.is_durable) return std::nullopt;
  if (!is_redis)
    return Error{"durable: is for a Redis; a gateway's own settings say which channels are durable"};
  if (settings.redis_prefix.find_first_of("{}") == std::string::npos) return std::nullopt;
  return Error{"redis-prefix = \"" + settings.redis_prefix +
               "\": must hold no brace where channels are durable"};
}

// Publishes the end of the channel if wanted, and returns the exit code.
int finish(const WorkResult& result, Publisher& publisher, const std::string& channel,
           const SignalStop& signals) {
  using Ending = Publisher::Ending;
  const bool is_cut = result.ending == Ending::kStopped && !result.runs_until_stopped;
  Ending ending = is_cut || result.ending == Ending::kGaveUp || result.ending == Ending::kTooLarge
                      ? result.ending
                      : Ending::kDone;
  if (ending == Ending::kDone && result.wants_end) {
    if (signals.signal() == 0) {
      ending = publisher.publish_end(channel, result.end_key, signals.token());
    } else {
      const Grace grace(kGraceTime);
      ending = publisher.publish_end(channel, result.end_key, grace.token());
    }
    if (ending == Ending::kStopped) spdlog::error("stopped before the end of the channel was published");
  }
  const auto& counts = publisher.counts();
  spdlog::info("{} messages published", counts.published);
  if (counts.known > 0) spdlog::info("{} of them were there already: not a second time", counts.known);
  if (counts.repeated > 0)
    spdlog::warn("{} messages were sent again: they may have come twice", counts.repeated);
  if (counts.skipped > 0) spdlog::warn("{} messages may be lost", counts.skipped);
  if (ending == Ending::kDone) return kExitDone;
  return ending == Ending::kStopped ? kExitSignal + signals.signal() : kExitGaveUp;
}

}  // namespace

std::string check_channel_name(const std::string& name) {
  return is_channel_name(name) ? "" : kChannelNameRule;
}

std::vector<Setting> CommonSettings::destination(const std::string& end_help) {
  std::vector<Setting> rows{
      Setting::url(
          "to", to,
          "Where to publish: redis://[user:password@]host[:port], rediss://… for TLS, unix://path of a "
          "Redis socket, or http://host[:port][/base] of a gateway. ps shows flags: a password is safer "
          "in redis-password-file, or the whole URL in WEIR_TO.",
          check_target)
          .required(),
      Setting::text("channel", channel, channel_help, check_channel_setting).required(),
      Setting::text("redis-prefix", redis_prefix, "Put before the channel's name on the Redis side."),
      Setting::flag("durable", is_durable,
                    "The channel is durable: its messages are kept in a stream of Redis 7, by the function "
                    "weir_publish that a gateway installs. A gateway (http://…) knows by itself."),
      Setting::integer("durable-messages", durable.messages, {1, 10'000'000}, "messages",
                       "About how many messages of a durable channel are kept, the newest."),
      Setting::integer("durable-seconds", durable.seconds, {0, 315'360'000}, "s",
                       "How long after its last message a durable channel is kept; 0: for ever."),
      Setting::text("token-file", token_file,
                    "A file with the token that a gateway asks for; it is read again for each message."),
      Setting::flag("end", end, end_help),
  };
  for (Setting& row : redis_file_settings(redis_files)) rows.push_back(std::move(row));
  return rows;
}

std::vector<Setting> CommonSettings::delivery() {
  return {
      Setting::duration("retry-seconds", retry, {0, 31'536'000},
                        "How long publishing may fail before the program gives up; 0 is for ever."),
      Setting::duration("timeout-ms", timeout, {100, 600'000}, "How long a connect or an answer may take."),
      Setting::choice(
          "on-unknown", unknown, {{"repeat", UnknownPolicy::kRepeat}, {"skip", UnknownPolicy::kSkip}},
          "What to do with messages that were sent when the connection broke, before an answer came: "
          "repeat them (some may come twice) or skip them (some may be lost)."),
      Setting::text("metrics-listen", metrics_listen,
                    "Address and port for GET /metrics (Prometheus) and /healthz; port 0 picks a free one; "
                    "empty: none.",
                    [](const std::string& text) { return text.empty() ? "" : check_listen(text); }),
      log_level_setting(log_level, "The least that is logged, on the standard error stream."),
      log_format_setting(log_format),
  };
}

int run_program(SettingsTable table, CommonSettings& settings, int argc, const char* const* argv,
                const std::function<WorkResult(const Work&)>& work) {
  open_standard_descriptors();
  const std::string path = argv[0];
  const std::string program = path.substr(path.rfind('/') + 1);
  const auto outcome = table.read(argc, argv, environ);
  if (!outcome) {
    std::fprintf(stderr, "%s: %s\n", program.c_str(), outcome.error().message.c_str());
    return kExitUsage;
  }
  if (outcome->text) {
    std::fputs(outcome->text->c_str(), stdout);
    return kExitDone;
  }
  const Target target = *parse_target(settings.to);
  if (const auto error = check_files(target, settings.redis_files)) {
    std::fprintf(stderr, "%s: %s\n", program.c_str(), error->message.c_str());
    return kExitUsage;
  }
  if (const auto error = check_durable(target, settings, outcome->sources)) {
    std::fprintf(stderr, "%s: %s\n", program.c_str(), error->message.c_str());
    return kExitUsage;
  }
  const bool takes_token = target.kind == Target::Kind::kHttp && target.user.empty();
  if (!settings.token_file.empty() && !takes_token) {
    std::fprintf(stderr,
                 "%s: token-file = \"%s\": is for a gateway (--to http://…) without user and password\n",
                 program.c_str(), settings.token_file.c_str());
    return kExitUsage;
  }
  if (const auto error = settings.check_together()) {
    std::fprintf(stderr, "%s: %s\n", program.c_str(), error->message.c_str());
    return kExitUsage;
  }
  start_program_log(program, settings.log_level, settings.log_format);
  for (const auto& warning : outcome->warnings) spdlog::warn("{}", warning);

  ::signal(SIGPIPE, SIG_IGN);
  const SignalStop signals;
  Publisher publisher(
      make_sink(target, {.redis_prefix = settings.redis_prefix,
                         .redis_files = settings.redis_files,
                         .durable = settings.is_durable ? std::optional(settings.durable) : std::nullopt,
                         .token_file = settings.token_file,
                         .timeout = settings.timeout}),
      {.retry = settings.retry, .unknown = settings.unknown});
  ProgramMetrics metrics(publisher);
  std::unique_ptr<MetricsServer> server;
  if (!settings.metrics_listen.empty()) {
    auto started = MetricsServer::start(settings.metrics_listen, metrics);
    if (!started) {
      std::fprintf(stderr, "%s: metrics-listen = \"%s\": %s\n", program.c_str(),
                   settings.metrics_listen.c_str(), started.error().message.c_str());
      return kExitUsage;
    }
    server = std::move(*started);
    spdlog::info("metrics at http://{}/metrics", server->address());
  }
  spdlog::info("publishing to channel {} at {}", settings.channel, target.redacted());
  const bool wants_keys = settings.is_durable || target.kind == Target::Kind::kHttp;
  return finish(work({publisher, settings.channel, signals.token(), outcome->sources, metrics, wants_keys}),
                publisher, settings.channel, signals);
}

}  // namespace weir
