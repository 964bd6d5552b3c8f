// weir-publish-log: the lines of a file, as they are written.
#include <spdlog/spdlog.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "publishers/log/tailer.h"
#include "publishers/program/program.h"

namespace {

using namespace weir;
using Ending = Publisher::Ending;

struct LogSettings {
  CommonSettings common;
  std::string file;
  Tailer::Options tailing;
  Watcher::Options watching;
  bool follow = true;
};

std::vector<std::string> encode(std::vector<Line> lines) {
  std::vector<std::string> payloads;
  payloads.reserve(lines.size());
  for (auto& line : lines) payloads.push_back(encode_line(std::move(line)));
  return payloads;
}

// Publishes `payloads` and removes the settled ones.
Ending publish(const std::string& channel, std::vector<std::string>& payloads, Publisher& publisher,
               const std::stop_token& stop) {
  const auto progress = publisher.publish(channel, payloads, stop);
  payloads.erase(payloads.begin(), payloads.begin() + static_cast<std::ptrdiff_t>(progress.settled));
  return progress.ending;
}

// Publishes what the file holds when the program is stopped; true if all of it could be. A last line without
// an LF is published only if the channel ends with it.
bool publish_last(std::vector<std::string> payloads, bool is_end, Tailer& tailer, const Work& work) {
  const Grace grace(kGraceTime);
  do {
    if (publish(work.channel, payloads, work.publisher, grace.token()) != Ending::kDone) {
      spdlog::error("stopped before {} lines, and what follows them, were published", payloads.size());
      return false;
    }
    payloads = encode(tailer.read(Tailer::Clock::now()));
  } while (!payloads.empty());
  if (is_end) payloads = encode(tailer.finish());
  return publish(work.channel, payloads, work.publisher, grace.token()) == Ending::kDone;
}

WorkResult run(const LogSettings& settings, const Work& work) {
  Watcher watcher(settings.watching);
  Tailer tailer(watcher, settings.file, settings.tailing);
  WorkResult result{.runs_until_stopped = settings.follow, .wants_end = settings.common.end};
  if (!tailer.has_file()) {
    if (!settings.follow) {
      spdlog::error("cannot open {}", settings.file);
      result.ending = Ending::kGaveUp;
      return result;
    }
    spdlog::info("waiting for {} to appear", settings.file);
  }
  std::vector<std::string> payloads;
  while (!work.stop.stop_requested()) {
    const auto seen = watcher.changes();
    payloads = encode(tailer.read(Tailer::Clock::now()));
    const bool is_over = payloads.empty() && !settings.follow;
    if (is_over) payloads = encode(tailer.finish());
    result.ending = publish(work.channel, payloads, work.publisher, work.stop);
    if (result.ending == Ending::kGaveUp || (is_over && result.ending == Ending::kDone)) return result;
    if (payloads.empty()) watcher.wait(seen, Tailer::Clock::now() + std::chrono::hours(1), work.stop);
  }
  result.ending = Ending::kStopped;
  if (settings.follow && !publish_last(std::move(payloads), settings.common.end, tailer, work)) {
    result.wants_end = false;
  }
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  LogSettings settings;
  settings.common.retry = std::chrono::seconds(0);
  auto& tailing = settings.tailing;
  auto& watching = settings.watching;
  SettingsTable table("weir-publish-log", "Publishes the lines of a file as they are written, like tail -F.");
  table.positional(
      Setting::text("file", settings.file, "The file to follow. It may appear later.").required());
  table.section("Where to", settings.common.destination(
                                "Publish the end of the channel when stopped, or done (--follow=false)."));
  table.section(
      "What",
      {
          Setting::flag("from-start", tailing.from_start,
                        "Begin at the start of the file that is there now, instead of at its end."),
          Setting::flag("follow", settings.follow, "Wait for more; false ends at the end of the file."),
          Setting::bytes("line-bytes-max", tailing.line_bytes_max, {16, 1 << 20},
                         "A longer line comes in pieces; all but its last one have \"more\":true."),
          Setting::duration("poll-ms", watching.poll, {10, 60'000},
                            "How often the file is looked at without any news of it."),
          Setting::flag("inotify", watching.uses_inotify, "Get news of the file from the kernel."),
      });
  table.section("Delivery", settings.common.delivery());
  table.epilogue(
      "Example:\n  weir-publish-log --to redis://127.0.0.1:6379 --channel stream2 /var/log/syslog\n");
  return run_program(std::move(table), settings.common, argc, argv,
                     [&](const Work& work) { return run(settings, work); });
}
