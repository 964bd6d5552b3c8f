// weir-publish-file: a file as messages.
#include <chrono>
#include <string>
#include <utility>

#include "publishers/file/file_sender.h"
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

WorkResult run(const FileSettings& settings, const Work& work) {
  FileSender sender(work.publisher, work.channel, settings.sending);
  // A file in parts is complete in itself, so publish the end unless the setting says otherwise.
  const bool is_end_set = work.sources.count("end") > 0;
  for (;;) {
    const auto sent = sender.send(settings.file, work.stop);
    const bool wants_end = is_end_set ? settings.common.end : sent.in_parts && !settings.repeat;
    WorkResult result{.ending = sent.ending, .runs_until_stopped = settings.repeat, .wants_end = wants_end};
    if (sent.ending != Ending::kDone || !settings.repeat) return result;
    if (!wait_until(std::chrono::steady_clock::now() + settings.repeat_pause, work.stop)) {
      result.ending = Ending::kStopped;
      return result;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  FileSettings settings;
  auto& sending = settings.sending;
  SettingsTable table("weir-publish-file", "Publishes a file, byte for byte.");
  table.positional(Setting::text("file", settings.file, "The file to publish.").required());
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
          Setting::flag("repeat", settings.repeat,
                        "Again and again, until it is stopped; reads the file each time."),
          Setting::duration("repeat-pause-seconds", settings.repeat_pause, {0, 86'400},
                            "The pause before it begins again."),
      });
  table.section("Delivery", settings.common.delivery());
  table.epilogue("Example:\n  weir-publish-file --to redis://127.0.0.1:6379 --channel stream3 photo.jpg\n");
  return run_program(std::move(table), settings.common, argc, argv,
                     [&](const Work& work) { return run(settings, work); });
}
