// weir-publish-file: a file as messages.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <utility>

#include "publishers/file/file_sender.h"
#include "publishers/file/progress_line.h"
#include "publishers/program/program.h"

namespace {

using namespace weir;
using Ending = Publisher::Ending;

struct FileSettings {
  CommonSettings common;
  std::string file;
  FileSender::Options sending;
  bool repeat = false;
  std::chrono::seconds repeat_pause{5};
};

// The least pause after a file that can't be sent, if --repeat-pause-seconds is 0.
constexpr std::chrono::milliseconds kHitchPause{200};

std::string check_file(const std::string& path) {
  if (path != "-") return {};
  return "must be a file, since it is read twice (\"./-\" is a file of that name); weir-publish-log "
         "publishes "
         "the lines of standard input";
}

// Sends the file again and again until it is stopped. A file that is missing or changes under its reader (a
// camera's snapshot) may be there in the next round.
Ending send_repeatedly(const FileSettings& settings, FileSender& sender, const Work& work) {
  std::string last_error;
  for (;;) {
    const auto sent = sender.send(settings.file, work.stop);
    if (sent.ending != Ending::kDone && sent.file_error.empty()) return sent.ending;
    // One line for each new reason, not one for each round.
    if (!sent.file_error.empty() && sent.file_error != last_error) {
      spdlog::warn("{}; trying again", sent.file_error);
    }
    last_error = sent.file_error;
    std::chrono::milliseconds pause = settings.repeat_pause;
    if (!sent.file_error.empty()) {
      work.metrics.add_read_errors(1);
      pause = std::max(pause, kHitchPause);
    }
    if (!wait_until(std::chrono::steady_clock::now() + pause, work.stop)) return Ending::kStopped;
  }
}

WorkResult run(const FileSettings& settings, const Work& work) {
  ProgressLine line;
  auto sending = settings.sending;
  sending.has_keys = work.wants_keys;
  // With --repeat a file that has not changed is to come again.
  if (settings.repeat) sending.run = std::to_string(std::random_device()());
  FileSender sender(work.publisher, work.channel, sending, [&](std::uint64_t done, std::uint64_t total) {
    line.show(done, total);
    work.metrics.set_progress(done, total);
  });
  if (settings.repeat) {
    return {.ending = send_repeatedly(settings, sender, work),
            .runs_until_stopped = true,
            .wants_end = settings.common.end};
  }
  const auto sent = sender.send(settings.file, work.stop);
  if (!sent.file_error.empty()) spdlog::error("{}", sent.file_error);
  // A file in parts is complete in itself, so publish the end unless the setting says otherwise.
  const bool is_end_set = work.sources.count("end") > 0;
  return {.ending = sent.ending,
          .wants_end = is_end_set ? settings.common.end : sent.in_parts,
          .end_key = sent.end_key};
}

}  // namespace

int main(int argc, char** argv) {
  FileSettings settings;
  auto& sending = settings.sending;
  SettingsTable table("weir-publish-file", "Publishes a file, byte for byte.");
  table.positional(Setting::text("file", settings.file, "The file to publish.", check_file).required());
  table.section("Where to",
                settings.common.destination(
                    "Publish the end of the channel when done. A file in parts that isn't repeated does so "
                    "unless --end=false."));
  table.section(
      "What",
      {
          Setting::choice(
              "form", sending.form,
              {{"auto", FileForm::kAuto}, {"buffer", FileForm::kBuffer}, {"parts", FileForm::kParts}},
              "buffer: one message {\"msg\":{\"type\":\"Buffer\",\"data\":[1,2]}}, up to 256 KB; parts: a "
              "message of type file, then its parts in base64; auto: buffer where it fits."),
          Setting::bytes("part-bytes", sending.part_bytes, {1, 1 << 20}, "Bytes of the file in one part."),
          Setting::bytes(
              "rate", sending.rate, {0, 1ULL << 40},
              "Bytes of messages per second; 0 is no limit. Redis cuts a subscriber that falls behind."),
          Setting::integer("rounds", sending.rounds, {1, 1'000}, "times",
                           "How often the same file is sent, for who had a gap."),
          Setting::duration("round-pause-seconds", sending.round_pause, {0, 86'400},
                            "The pause between two rounds."),
          Setting::flag(
              "repeat", settings.repeat,
              "Again and again, until it is stopped; reads the file each time, and goes on when it can't."),
          Setting::duration("repeat-pause-seconds", settings.repeat_pause, {0, 86'400},
                            "The pause before it begins again."),
      });
  table.section("Delivery", settings.common.delivery());
  table.epilogue("Example:\n  weir-publish-file --to redis://127.0.0.1:6379 --channel stream3 photo.jpg\n");
  return run_program(std::move(table), settings.common, argc, argv,
                     [&](const Work& work) { return run(settings, work); });
}
