// weir-publish-log: the lines of files, or of standard input, as they are written.
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "process/descriptor_limit.h"
#include "process/stop.h"
#include "publishers/log/channel_template.h"
#include "publishers/log/container_format.h"
#include "publishers/log/line_publisher.h"
#include "publishers/log/log_follower.h"
#include "publishers/log/standard_input.h"
#include "publishers/log/state_file.h"
#include "publishers/program/program.h"

namespace {

using namespace weir;
using Ending = Publisher::Ending;

struct LogSettings {
  CommonSettings common;
  LogFollower::Options following{
      .files = {}, .files_max = 1'000, .rate = 4 << 20, .watch = {}, .tailing = {}};
  std::string state;
  bool is_cri = false;
  bool is_docker = false;
};

const std::string kStandardInput = "-";

bool reads_standard_input(const LogSettings& settings) {
  const auto& files = settings.following.files;
  return std::find(files.begin(), files.end(), kStandardInput) != files.end();
}

// The settings that contradict each other.
std::optional<Error> check(const LogSettings& settings) {
  if (settings.is_cri && settings.is_docker) {
    return Error{"cri and docker: a log is in one of the two formats"};
  }
  if (!reads_standard_input(settings)) return std::nullopt;
  if (settings.following.files.size() > 1) return Error{"file = \"-\": standard input is read alone"};
  if (!settings.state.empty()) {
    return Error{"state = \"" + settings.state + "\": standard input has no position to keep"};
  }
  if (is_channel_template(settings.common.channel)) {
    return Error{"channel = \"" + settings.common.channel + "\": standard input has no name"};
  }
  return std::nullopt;
}

MakeLineFormat format_of(const LogSettings& settings) {
  if (!settings.is_cri && !settings.is_docker) return {};
  const auto format = settings.is_cri ? ContainerFormat::kCri : ContainerFormat::kDocker;
  return [format, bytes_max = settings.following.tailing.line_bytes_max] {
    return std::make_unique<ContainerLines>(format, bytes_max);
  };
}

// A line of the file may be longer than the one that it wraps.
std::size_t file_line_bytes_max(const LogSettings& settings) {
  const auto bytes_max = settings.following.tailing.line_bytes_max;
  const bool is_wrapped = settings.is_cri || settings.is_docker;
  return is_wrapped ? std::max(bytes_max, ContainerLines::kWrappedBytesMax) : bytes_max;
}

// After a stop, what has come already is published without waiting for the rate.
bool publish_rest(StandardInput& input, LinePublisher::Batch batch, const LineEncoder& encoder,
                  LinePublisher& publisher, const Work& work) {
  const Grace grace(kGraceTime);
  std::vector<Line> lines;
  input.read_rest(lines);
  auto rest = LinePublisher::encode(std::move(lines), encoder, work.wants_keys);
  for (auto* each : {&batch, &rest}) {
    if (publisher.publish(work.channel, *each, encoder, grace.token()) == Ending::kDone) continue;
    spdlog::error("stopped before {} lines, and what follows them, were published", each->lines.size());
    return false;
  }
  return true;
}

WorkResult publish_standard_input(const LogSettings& settings, const Work& work) {
  WorkResult result{.runs_until_stopped = true, .wants_end = settings.common.end};
  StandardInput input(STDIN_FILENO, file_line_bytes_max(settings), format_of(settings));
  LinePublisher publisher(work, settings.following.rate);
  const LineEncoder encoder("", settings.following.passes_json);
  while (!input.is_at_end()) {
    std::vector<Line> lines;
    const auto has_come = input.read(lines, work.stop);
    if (!has_come) {
      spdlog::error("cannot read standard input: {}", has_come.error().message);
      return {.ending = Ending::kGaveUp};
    }
    auto batch = LinePublisher::encode(std::move(lines), encoder, work.wants_keys);
    result.ending = Ending::kStopped;
    if (*has_come && publisher.await_turn(batch, work.stop)) {
      result.ending = publisher.publish(work.channel, batch, encoder, work.stop);
    }
    if (result.ending == Ending::kGaveUp) return result;
    if (result.ending == Ending::kStopped) {
      result.wants_end &= publish_rest(input, std::move(batch), encoder, publisher, work);
      break;
    }
  }
  if (work.wants_keys) result.end_key = input.end_key();
  return result;
}

// Opens the state file, so that one that can't be used ends the program before it has begun.
std::optional<Error> open_state(const LogSettings& settings, std::unique_ptr<StateFile>& state) {
  if (settings.state.empty()) return std::nullopt;
  auto opened = StateFile::open(settings.state);
  if (!opened) return Error{"state = " + opened.error().message};
  state = std::move(*opened);
  return std::nullopt;
}

WorkResult run(const LogSettings& settings, StateFile* state, const Work& work) {
  if (reads_standard_input(settings)) return publish_standard_input(settings, work);
  auto following = settings.following;
  following.end = settings.common.end;
  following.repeats_unknown = settings.common.unknown == UnknownPolicy::kRepeat;
  // If nothing is tried again, the reason is said once, as an error.
  following.watch.warns = following.tailing.warns = following.follow;
  following.tailing.format = format_of(settings);
  following.tailing.line_bytes_max = file_line_bytes_max(settings);
  // A window is what a restart repeats.
  if (work.wants_keys) following.tailing.window_lines = kKeyedMessagesMax;
  return LogFollower(std::move(following), state, work).run();
}

}  // namespace

int main(int argc, char** argv) {
  LogSettings settings;
  settings.common.retry = std::chrono::seconds(0);
  settings.common.check_channel_setting = check_channel_template;
  settings.common.channel_help =
      "The channel to publish to, or a channel for each file: {name} is the last part of its path without "
      ".log, "
      "{dir} its folder, {path} both.";
  auto& following = settings.following;
  auto& tailing = following.tailing;
  SettingsTable table("weir-publish-log", "Publishes the lines of files as they are written, like tail -F.");
  table.positional(
      Setting::list("file", following.files,
                    "The files to follow: paths, which may appear later; patterns in quotes "
                    "('/var/log/*.log'), whose files are followed as they appear; or - for standard input.")
          .required());
  table.section(
      "Where to",
      settings.common.destination(
          "Publish the end of the channel when stopped, or done (--follow=false, standard input)."));
  table.section(
      "What",
      {
          Setting::flag("from-start", tailing.from_start,
                        "Begin at the start of the files that are there now, instead of at their end."),
          Setting::flag("follow", following.follow, "Wait for more; false ends at the end of the files."),
          Setting::text("state", settings.state,
                        "A file that keeps how far each file was published. The next start goes on there."),
          Setting::flag("json", following.passes_json,
                        "Lines that are JSON objects are messages as they are."),
          Setting::flag("cri", settings.is_cri,
                        "The files are container logs of Kubernetes: unwrap their lines."),
          Setting::flag("docker", settings.is_docker,
                        "The files are container logs of Docker (json-file): unwrap their lines."),
          Setting::bytes("line-bytes-max", tailing.line_bytes_max, {16, 1 << 20},
                         "A longer line comes in pieces; all but its last one have \"more\":true."),
          Setting::bytes("rate", settings.following.rate, {0, 1ULL << 40},
                         "Bytes of messages per second, after a burst of 4 MiB; 0 is no limit. Redis cuts a "
                         "subscriber that falls behind."),
          Setting::integer("files-max", following.files_max, {1, StateFile::kPathsMax}, "files",
                           "How many files are followed at once."),
          Setting::duration("poll-ms", following.watch.poll, {10, 60'000},
                            "How often the files are looked at without any news of them."),
          Setting::flag("inotify", following.watch.uses_inotify, "Get news of the files from the kernel."),
      });
  table.section("Delivery", settings.common.delivery());
  table.epilogue(
      "Examples:\n"
      "  weir-publish-log --to redis://127.0.0.1:6379 --channel stream2 /var/log/syslog\n"
      "  weir-publish-log --to redis://127.0.0.1:6379 --channel 'log.{name}' '/var/log/*.log'\n"
      "  make 2>&1 | weir-publish-log --to redis://127.0.0.1:6379 --channel build --end -\n");
  std::unique_ptr<StateFile> state;
  settings.common.check_together = [&] {
    auto error = check(settings);
    return error ? error : open_state(settings, state);
  };
  raise_descriptor_limit();
  return run_program(std::move(table), settings.common, argc, argv,
                     [&](const Work& work) { return run(settings, state.get(), work); });
}
