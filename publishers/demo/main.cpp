// weir-publish-demo: three messages in five seconds, a text word by word, a script, or messages at a rate.
#include <spdlog/spdlog.h>

#include <charconv>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "process/small_file.h"
#include "publishers/demo/load.h"
#include "publishers/demo/player.h"
#include "publishers/demo/script.h"
#include "publishers/demo/script_file.h"
#include "publishers/program/program.h"

namespace {

using namespace weir;
using Ending = Publisher::Ending;

// Memory holds a text as a whole, and again as messages.
constexpr std::size_t kTextBytesMax = 8 << 20;
constexpr double kSpeedMin = 0.01;
constexpr double kSpeedMax = 1'000;

struct DemoSettings {
  CommonSettings common;
  LoadOptions load;
  std::string words_file;
  unsigned words_per_second = 20;
  std::string script_file;
  std::string speed = "1";
  bool stamp = false;
  bool repeat = false;
  std::chrono::seconds repeat_pause{5};
};

std::optional<double> parse_speed(const std::string& text) {
  double speed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), speed);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (!(speed >= kSpeedMin && speed <= kSpeedMax)) return std::nullopt;
  return speed;
}

// The messages that the settings ask for; nullopt if a file can't be used, which is logged.
std::optional<std::vector<Step>> make_script(const DemoSettings& settings) {
  if (!settings.words_file.empty()) {
    const auto text = read_small_file(settings.words_file, kTextBytesMax);
    if (text) return words_script(*text, settings.words_per_second);
    spdlog::error("words = {}", text.error().message);
    return std::nullopt;
  }
  if (settings.script_file.empty()) return demo_script();
  const auto text = read_small_file(settings.script_file, kScriptBytesMax);
  if (!text) {
    spdlog::error("script = {}", text.error().message);
    return std::nullopt;
  }
  auto script = parse_script(*text);
  if (script) return std::move(*script);
  spdlog::error("script = \"{}\": {}", settings.script_file, script.error().message);
  return std::nullopt;
}

// Calls `play` again and again if the settings say so.
template <typename Play>
WorkResult repeat(const DemoSettings& settings, const Work& work, Play play) {
  WorkResult result{.runs_until_stopped = settings.repeat, .wants_end = settings.common.end};
  do {
    result.ending = play();
    if (result.ending != Ending::kDone || !settings.repeat) return result;
  } while (wait_until(std::chrono::steady_clock::now() + settings.repeat_pause, work.stop));
  result.ending = Ending::kStopped;
  return result;
}

WorkResult run(const DemoSettings& settings, const Work& work) {
  if (settings.load.rate > 0) {
    auto result = repeat(
        settings, work, [&] { return publish_load(work.publisher, work.channel, settings.load, work.stop); });
    if (settings.load.count == 0) result.runs_until_stopped = true;
    return result;
  }
  for (const char* name : {"size", "count"}) {
    if (work.sources.count(name) > 0) spdlog::warn("{} is only for --rate", name);
  }
  auto script = make_script(settings);
  if (!script) return {.ending = Ending::kGaveUp};
  Player player(work.publisher, work.channel, at_speed(std::move(*script), *parse_speed(settings.speed)),
                settings.stamp);
  return repeat(settings, work, [&] { return player.play(work.stop); });
}

// Each check sees the settings above its own row.
std::vector<Setting> what_to_publish(DemoSettings& settings) {
  const auto conflict = [&settings](bool has_words) -> std::string {
    if (settings.load.rate > 0) return "can't go with --rate";
    if (has_words && !settings.words_file.empty()) return "can't go with --words";
    return {};
  };
  return {
      Setting::integer("rate", settings.load.rate, {0, 1'000'000}, "messages",
                       "Publish this many numbered messages per second instead; 0 is none."),
      Setting::bytes("size", settings.load.size, {kLoadMessageBytesMin, 1 << 20},
                     "Bytes of each of these messages."),
      Setting::integer("count", settings.load.count, {0, 1'000'000'000'000}, "messages",
                       "End after as many of these messages; 0 is never."),
      Setting::text("words", settings.words_file,
                    "A text file to publish word by word instead, as a chat answer arrives.",
                    [conflict](const std::string&) { return conflict(false); }),
      Setting::integer("words-per-second", settings.words_per_second, {1, 1'000}, "words", "How fast."),
      Setting::text(
          "script", settings.script_file,
          "A file of JSON Lines to publish instead: {\"delay_ms\":500,\"message\":{\"msg\":\"aaa\"}}.",
          [conflict](const std::string&) { return conflict(true); }),
      Setting::text("speed", settings.speed, "How many times as fast: 0.01 to 1000.",
                    [conflict](const std::string& text) -> std::string {
                      if (!parse_speed(text)) return "must be a number from 0.01 to 1000";
                      return conflict(false);
                    }),
      Setting::flag(
          "stamp", settings.stamp,
          "Add \"time\", in milliseconds since 1970, to each message that is an object without one. "
          "The messages of --rate always have it."),
      Setting::flag("repeat", settings.repeat, "Again and again, until it is stopped."),
      Setting::duration("repeat-pause-seconds", settings.repeat_pause, {0, 86'400},
                        "The pause before it begins again."),
  };
}

}  // namespace

int main(int argc, char** argv) {
  DemoSettings settings;
  SettingsTable table(
      "weir-publish-demo",
      "Publishes {\"msg\":\"aaa\"} at once, bbb after 2 s and ccc after 5 s; or a text word by "
      "word, a script, or messages at a rate.");
  table.section("Where to", settings.common.destination("Publish the end of the channel when done."));
  table.section("What", what_to_publish(settings));
  table.section("Delivery", settings.common.delivery());
  table.epilogue("Example:\n  weir-publish-demo --to redis://127.0.0.1:6379 --channel stream\n");
  return run_program(std::move(table), settings.common, argc, argv,
                     [&](const Work& work) { return run(settings, work); });
}
