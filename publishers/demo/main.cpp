// weir-publish-demo: three messages in five seconds, or a text word by word.
#include <spdlog/spdlog.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "process/small_file.h"
#include "publishers/demo/script.h"
#include "publishers/program/program.h"

namespace {

using namespace weir;
using Ending = Publisher::Ending;

// Memory holds a text as a whole, and again as messages.
constexpr std::size_t kTextBytesMax = 8 << 20;

struct DemoSettings {
  CommonSettings common;
  std::string words_file;
  unsigned words_per_second = 20;
  bool repeat = false;
  std::chrono::seconds repeat_pause{5};
};

// Publishes each step at its time from now on, or later if publishing waits.
Ending play(const std::vector<Step>& script, const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  for (const auto& step : script) {
    if (!wait_until(start + step.at, work.stop)) return Ending::kStopped;
    const auto ending = work.publisher.publish(work.channel, step.payload, work.stop);
    if (ending != Ending::kDone) return ending;
    spdlog::debug("published {}", step.payload);
  }
  return Ending::kDone;
}

WorkResult run(const DemoSettings& settings, const Work& work) {
  WorkResult result{.runs_until_stopped = settings.repeat, .wants_end = settings.common.end};
  std::vector<Step> script = demo_script();
  if (!settings.words_file.empty()) {
    const auto text = read_small_file(settings.words_file, kTextBytesMax);
    if (!text) {
      spdlog::error("words = {}", text.error().message);
      result.ending = Ending::kGaveUp;
      return result;
    }
    script = words_script(*text, settings.words_per_second);
  }
  do {
    result.ending = play(script, work);
    if (result.ending != Ending::kDone || !settings.repeat) return result;
  } while (wait_until(std::chrono::steady_clock::now() + settings.repeat_pause, work.stop));
  result.ending = Ending::kStopped;
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  DemoSettings settings;
  SettingsTable table(
      "weir-publish-demo",
      "Publishes {\"msg\":\"aaa\"} at once, bbb after 2 s and ccc after 5 s, or a text word by word.");
  table.section("Where to", settings.common.destination("Publish the end of the channel when done."));
  table.section(
      "What",
      {
          Setting::text("words", settings.words_file,
                        "A text file to publish word by word instead, as a chat answer arrives."),
          Setting::integer("words-per-second", settings.words_per_second, {1, 1'000}, "words", "How fast."),
          Setting::flag("repeat", settings.repeat, "Again and again, until it is stopped."),
          Setting::duration("repeat-pause-seconds", settings.repeat_pause, {0, 86'400},
                            "The pause before it begins again."),
      });
  table.section("Delivery", settings.common.delivery());
  table.epilogue("Example:\n  weir-publish-demo --to redis://127.0.0.1:6379 --channel stream\n");
  return run_program(std::move(table), settings.common, argc, argv,
                     [&](const Work& work) { return run(settings, work); });
}
