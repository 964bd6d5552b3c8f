#include "broker/live_settings.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "broker/auth/key_store.h"
#include "broker/base/logging.h"
#include "broker/hub/hub.h"

namespace weir {
namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

// The bus was made for the histories that were wanted at the start.
bool LiveSettings::is_first(ChannelSource source, const Config& config) const {
  return has_channels_from(config, source) && !has_channels_from(running_.config, source);
}

LiveSettings::LiveSettings(const CommandLine& running, Read read, KeyStore& keys, Hub& hub)
    : running_(running), read_(std::move(read)), keys_(keys), hub_(hub) {}

void LiveSettings::reload() {
  if (const auto error = try_reload()) log_error("SIGHUP: everything stays as it was: " + error->message);
}

// Do everything that can fail before anything that takes effect. Reading the keys does both, so it is the
// last step that can fail.
std::optional<Error> LiveSettings::try_reload() {
  auto line = read_(&running_.config.channel);
  if (!line) return line.error();
  if (auto error = check_sources(running_.config, line->config.channel_rules)) return error;
  if (auto error = keys_.reload()) return error;
  Config& config = line->config;
  const std::size_t rules = config.channel_rules.size();
  const bool has_first_history =
      is_first(ChannelSource::kDurable, config) || is_first(ChannelSource::kStream, config);
  hub_.set_channel_rules(std::move(config.channel_rules));

  // Log the following if either level allows it.
  set_log_level(std::min(config.log_level, log_level()));
  log_info(
      "SIGHUP: key files, log level and [[channel]] rules were read again",
      {{"keys", keys_.keys()->size()}, {"log_level", log_level_name(config.log_level)}, {"rules", rules}});
  const auto names = settings_for_a_restart(running_.config, config);
  if (!names.empty()) log_warning("SIGHUP: restart to apply what changed: " + joined(names));
  if (has_first_history)
    log_warning(
        "SIGHUP: restart for the first rule with durable = true or source = \"stream\": until then its "
        "channels may be live");
  set_log_level(config.log_level);
  return std::nullopt;
}

}  // namespace weir
