#include "broker/bus/redis_subscriber.h"

#include <algorithm>
#include <cassert>

#include "broker/base/logging.h"
#include "proto/channel_name.h"
#include "redis/publish_function.h"
#include "redis/redis_error.h"
#include "redis/redis_reply.h"

namespace weir {
namespace {

constexpr std::size_t kChannelsPerCommand = 500;
constexpr std::size_t kUnsentBytesMax = 256 << 10;

// Escapes the special characters of Redis' globs, `*` only unless `is_star_kept`.
std::string escape_glob(std::string_view text, bool is_star_kept) {
  std::string escaped;
  for (const char c : text) {
    const bool is_special = c == '?' || c == '[' || c == ']' || c == '\\' || (c == '*' && !is_star_kept);
    if (is_special) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

}  // namespace

RedisSubscriber::RedisSubscriber(asio::io_context& io, const RedisBusOptions& options, BusListener& listener)
    : options_(options),
      listener_(listener),
      announced_before_(durable_stream_key(options.prefix)),
      connection_(io, options, "subscriber", *this) {
  announced_before_.pop_back();  // "weir:{<prefix>"
}

void RedisSubscriber::record(std::string text) {
  Pattern pattern;
  pattern.is_glob = text.find('*') != std::string::npos;
  pattern.on_redis = pattern.is_glob ? escape_glob(options_.prefix, false) + escape_glob(text, true)
                                     : options_.prefix + text;
  pattern.text = std::move(text);
  patterns_.push_back(std::move(pattern));
  ++state_.wanted;
}

void RedisSubscriber::close() {
  connection_.close();
  state_.is_up = false;
}

void RedisSubscriber::subscribe(std::string channel) {
  Entry& entry = *channels_.try_emplace(std::move(channel)).first;
  entry.second.is_durable = false;
  want(entry);
}

void RedisSubscriber::unsubscribe(const std::string& channel) { give_up(channels_, channel); }

void RedisSubscriber::subscribe_durable(const std::string& channel) {
  Entry& announcements = *announced_.try_emplace(channel).first;
  announcements.second.is_sharded = true;
  want(announcements);
  Entry& plain = *channels_.try_emplace(channel).first;
  plain.second.is_durable = true;
  want(plain);
}

void RedisSubscriber::unsubscribe_durable(const std::string& channel) {
  give_up(announced_, channel);
  give_up(channels_, channel);
}

void RedisSubscriber::want(Entry& entry) {
  count_held();
  if (!entry.second.is_wanted) {
    entry.second.is_wanted = true;
    ++state_.wanted;
  }
  forget_acknowledgement(entry);  // Acknowledge it again, even if it was wanted already.
  queue(entry);
}

void RedisSubscriber::give_up(Channels& channels, const std::string& channel) {
  const auto found = channels.find(channel);
  if (found == channels.end() || !found->second.is_wanted) return;
  found->second.is_wanted = false;
  --state_.wanted;
  forget_acknowledgement(*found);
  queue(*found);
}

// A durable channel is in both maps, at nearly the same times.
void RedisSubscriber::count_held() { state_.held = std::max(channels_.size(), announced_.size()); }

void RedisSubscriber::settle() {
  send_changes();
  tell_idle();
}

// --- From Redis

void RedisSubscriber::on_up() {
  state_.is_up = state_.was_ever_up = true;
  listener_.on_state(true);
  send_patterns();
  for (Entry& entry : channels_) queue(entry);
  for (Entry& entry : announced_) queue(entry);
  send_changes();
}

void RedisSubscriber::on_down() {
  state_.is_up = false;
  // Before the loss is counted: a reader of that count must not see channels acknowledged before it.
  const bool was_anything_live = state_.acknowledged.exchange(0) > 0;
  ++state_.losses;
  unanswered_.clear();
  changed_.clear();
  changed_announced_.clear();
  for (Pattern& pattern : patterns_) pattern.is_acknowledged = pattern.is_refused = false;
  forget_link(channels_);
  forget_link(announced_);
  count_held();
  listener_.on_state(false);
  if (announcements_ != nullptr) announcements_->on_announcements_lost();
  // If nothing was acknowledged since the last loss, nothing more was lost.
  if (!was_anything_live) return;
  listener_.on_lost();
  has_told_ = true;
  tell_idle();
}

void RedisSubscriber::forget_link(Channels& channels) {
  for (auto it = channels.begin(); it != channels.end();) {
    const Channel& old = it->second;
    it->second = {.is_wanted = old.is_wanted, .is_sharded = old.is_sharded, .is_durable = old.is_durable};
    it = it->second.is_wanted ? std::next(it) : channels.erase(it);
  }
}

void RedisSubscriber::on_ping_due() {
  constexpr std::string_view kPing[] = {"PING"};
  unanswered_.push_back({Command::Kind::kPing, {}, 0, 0, std::chrono::steady_clock::now()});
  connection_.send(kPing);
}

// Hot path: once per message.
void RedisSubscriber::on_reply(const redisReply& reply) {
  if (reply.type == REDIS_REPLY_ERROR) return on_error(text_of(reply));
  // Redis answers PING with a status while nothing is subscribed, with an array from then on.
  if (reply.type == REDIS_REPLY_STATUS) return on_acknowledgement("pong", {});
  if (reply.type != REDIS_REPLY_ARRAY || reply.elements < 2)
    return connection_.fail("an answer of an unknown kind");
  const std::string_view kind = text_of(*reply.element[0]);
  const std::string_view second = text_of(*reply.element[1]);
  if (kind == "message" && reply.elements == 3) return deliver(second, *reply.element[2], std::nullopt);
  if (kind == "pmessage" && reply.elements == 4) {
    return deliver(text_of(*reply.element[2]), *reply.element[3], second);
  }
  if (kind == "smessage" && reply.elements == 3) return announce(second, *reply.element[2]);
  on_acknowledgement(kind, second);
}

void RedisSubscriber::on_read() {
  send_changes();
  tell_idle();
}

void RedisSubscriber::deliver(std::string_view name, const redisReply& payload,
                              std::optional<std::string_view> glob) {
  if (!name.starts_with(options_.prefix)) return;
  const std::string_view channel = name.substr(options_.prefix.size());
  // A pattern also matches other applications' channels in the same Redis. A subscribed name is always valid.
  if (glob && !is_channel_name(channel)) return;
  if (!patterns_.empty()) {
    const Pattern* const first = pattern_of(channel);
    const bool is_first = glob ? first != nullptr && first->is_glob && first->on_redis == *glob
                               : first == nullptr || !first->is_glob;
    if (!is_first) return;
    if (glob && state_.acknowledged != state_.wanted) acknowledge_covered(channel);
  }
  has_told_ = true;
  if (payload.type != REDIS_REPLY_STRING || payload.len > options_.limits.message_bytes_max) {
    return listener_.on_too_large(channel);
  }
  listener_.on_message(channel, text_of(payload));
}

// Hot path: once per durable message.
void RedisSubscriber::announce(std::string_view name, const redisReply& text) {
  if (!name.starts_with(announced_before_) || !name.ends_with('}')) return;
  name.remove_prefix(announced_before_.size());
  name.remove_suffix(1);
  has_told_ = true;
  announcements_->on_announcement(name, text);
}

void RedisSubscriber::on_acknowledgement(std::string_view kind, std::string_view name) {
  if (unanswered_.empty()) return connection_.fail("an answer to no question");
  Command& command = unanswered_.front();
  if (command.kind == Command::Kind::kPing) {
    if (kind != "pong") return connection_.fail("the answers are out of step");
    round_trips_.observe(std::chrono::steady_clock::now() - command.sent);
    return unanswered_.pop_front();
  }
  if (command.kind == Command::Kind::kPattern) {
    Pattern& pattern = patterns_[command.pattern];
    const bool is_it = name == pattern.on_redis && kind == (pattern.is_glob ? "psubscribe" : "subscribe");
    if (!is_it) return connection_.fail("the answers are out of step");
    unanswered_.pop_front();
    return on_pattern_acknowledged(pattern);
  }
  Entry& entry = *command.channels[command.answered];
  if (entry.second.is_sharded && kind.starts_with('s')) kind.remove_prefix(1);
  const bool is_kind = kind == (command.kind == Command::Kind::kSubscribe ? "subscribe" : "unsubscribe");
  if (!is_kind || name != name_on_redis(entry)) return connection_.fail("the answers are out of step");
  if (++command.answered == command.channels.size()) unanswered_.pop_front();
  --entry.second.unanswered;
  entry.second.is_sent_alone = false;
  conclude(entry);
}

void RedisSubscriber::on_error(std::string_view text) {
  if (unanswered_.empty()) return connection_.fail(text);
  const Command command = std::move(unanswered_.front());
  unanswered_.pop_front();
  const bool is_forbidden = is_no_permission(text);
  switch (command.kind) {
    case Command::Kind::kPing:
      return;  // An error is a sign of life, too.
    case Command::Kind::kPattern:
      return is_forbidden ? on_pattern_refused(patterns_[command.pattern], text) : connection_.fail(text);
    case Command::Kind::kUnsubscribe:
      // Its messages still come, and nobody wants them: no harm.
      for (Entry* entry : command.channels) {
        --entry->second.unanswered;
        conclude(*entry);
      }
      return;
    case Command::Kind::kSubscribe:
      if (command.channels.front()->second.is_sharded && text.starts_with("ERR unknown command")) {
        return on_channels_refused(command, "durable channels need Redis 7", true);
      }
      return is_forbidden ? on_channels_refused(command, text, command.channels.size() == 1)
                          : connection_.fail(text);
  }
}

void RedisSubscriber::on_pattern_acknowledged(Pattern& pattern) {
  pattern.is_acknowledged = true;
  ++state_.acknowledged;
  listener_.on_recording(pattern.text);
  has_told_ = true;
  for (Entry& entry : channels_) {
    if (entry.second.is_wanted && pattern_of(entry.first) == &pattern) queue(entry);
  }
}

void RedisSubscriber::on_pattern_refused(Pattern& pattern, std::string_view why) {
  log_warning("redis subscriber: the pattern " + pattern.text + " is refused: " + std::string(why));
  pattern.is_refused = true;
  listener_.on_refused(pattern.text, why);
  has_told_ = true;
  // Subscribe by name to the channels that the pattern would have covered.
  for (Entry& entry : channels_) queue(entry);
}

// One forbidden channel makes Redis refuse a SUBSCRIBE of many. Unless all of them are meant, ask for each one alone
// then, so that only the forbidden ones are reported.
void RedisSubscriber::on_channels_refused(const Command& command, std::string_view why, bool are_all_meant) {
  for (Entry* entry : command.channels) {
    Channel& channel = entry->second;
    if (--channel.unanswered > 0) continue;  // A later command decides.
    channel.is_on_server = false;
    if (!are_all_meant) {
      channel.is_sent_alone = true;
    } else if (channel.is_wanted) {
      channel.is_wanted = false;
      --state_.wanted;
      tell_refusal(*entry, why);
    }
    conclude(*entry);
  }
}

void RedisSubscriber::tell_refusal(const Entry& entry, std::string_view why) {
  has_told_ = true;
  if (entry.second.is_sharded) return announcements_->on_announcing_refused(entry.first, why);
  if (!entry.second.is_durable) return listener_.on_refused(entry.first, why);
  log_warning("redis subscriber: plain messages of the durable channel " + entry.first +
              " are refused: " + std::string(why));
}

// --- To Redis

const RedisSubscriber::Pattern* RedisSubscriber::pattern_of(std::string_view channel) const {
  for (const Pattern& pattern : patterns_) {
    if (!pattern.is_refused && matches_pattern(pattern.text, channel)) return &pattern;
  }
  return nullptr;
}

bool RedisSubscriber::belongs_on_server(const Entry& entry) const {
  if (!entry.second.is_wanted) return false;
  return entry.second.is_sharded || pattern_of(entry.first) == nullptr;
}

void RedisSubscriber::queue(Entry& entry) {
  if (entry.second.is_queued) return;
  if (connection_.is_up()) {
    entry.second.is_queued = true;
    (entry.second.is_sharded ? changed_announced_ : changed_).push_back(&entry);
  } else if (!entry.second.is_wanted) {
    erase(entry);  // on_up() will queue all wanted channels.
  }
}

void RedisSubscriber::send_patterns() {
  // One command for each: then a refusal concerns one pattern, and the answers come in their order.
  for (std::size_t i = 0; i < patterns_.size(); ++i) {
    const std::string_view words[] = {patterns_[i].is_glob ? "PSUBSCRIBE" : "SUBSCRIBE",
                                      patterns_[i].on_redis};
    unanswered_.push_back({Command::Kind::kPattern, {}, 0, i, {}});
    connection_.send(words);
  }
}

// Sends as much as fits into the write buffer; on_written() continues.
void RedisSubscriber::send_changes() {
  if (!connection_.is_up()) return;
  while (connection_.unsent_bytes() < kUnsentBytesMax) {
    std::vector<Entry*> entries = take_changes();
    if (entries.empty()) break;
    const bool is_subscribe = !entries.front()->second.is_on_server;
    const bool is_sharded = entries.front()->second.is_sharded;
    std::vector<std::string> names;
    names.reserve(entries.size());
    for (Entry* entry : entries) {
      entry->second.is_on_server = is_subscribe;
      ++entry->second.unanswered;
      names.push_back(name_on_redis(*entry));
    }
    std::string_view word = is_subscribe ? "SSUBSCRIBE" : "SUNSUBSCRIBE";
    if (!is_sharded) word.remove_prefix(1);
    std::vector<std::string_view> words{word};
    words.insert(words.end(), names.begin(), names.end());
    connection_.send(words);
    const auto kind = is_subscribe ? Command::Kind::kSubscribe : Command::Kind::kUnsubscribe;
    unanswered_.push_back({kind, std::move(entries), 0, 0, {}});
  }
  connection_.flush();
}

// True if one command may be about both channels, in whatever slots of a cluster their names are.
bool RedisSubscriber::may_share_command(const Channel& one, const Channel& other) {
  return !one.is_sent_alone && !other.is_sent_alone && one.is_on_server == other.is_on_server;
}

std::vector<RedisSubscriber::Entry*> RedisSubscriber::take_changes() {
  std::vector<Entry*> taken = take_changes(changed_announced_);
  return taken.empty() ? take_changes(changed_) : taken;
}

// Takes the next changed channels that fit into one command. Concludes those that need none.
std::vector<RedisSubscriber::Entry*> RedisSubscriber::take_changes(std::deque<Entry*>& changed) {
  std::vector<Entry*> taken;
  while (!changed.empty() && taken.size() < kChannelsPerCommand) {
    Entry& entry = *changed.front();
    const bool is_change = belongs_on_server(entry) != entry.second.is_on_server;
    if (is_change && !taken.empty() && !may_share_command(taken.front()->second, entry.second)) break;
    changed.pop_front();
    entry.second.is_queued = false;
    is_change ? taken.push_back(&entry) : conclude(entry);
  }
  return taken;
}

// If no answer is outstanding, Redis' state of the channel is known: tells the listener, forgets the channel,
// or queues it for the next command.
void RedisSubscriber::conclude(Entry& entry) {
  Channel& channel = entry.second;
  if (channel.unanswered > 0 || channel.is_queued) return;
  if (belongs_on_server(entry) != channel.is_on_server) return queue(entry);
  if (!channel.is_wanted) return erase(entry);
  const bool is_live = channel.is_on_server || pattern_of(entry.first)->is_acknowledged;
  if (is_live && !channel.is_acknowledged) acknowledge(entry);
}

void RedisSubscriber::erase(Entry& entry) {
  Channels& channels = entry.second.is_sharded ? announced_ : channels_;
  channels.erase(channels.find(entry.first));
  count_held();
}

void RedisSubscriber::acknowledge(Entry& entry) {
  entry.second.is_acknowledged = true;
  ++state_.acknowledged;
  if (entry.second.is_durable) return;
  has_told_ = true;
  entry.second.is_sharded ? announcements_->on_announcing(entry.first) : listener_.on_subscribed(entry.first);
}

std::string RedisSubscriber::name_on_redis(const Entry& entry) const {
  return entry.second.is_sharded ? durable_stream_key(options_.prefix + entry.first)
                                 : options_.prefix + entry.first;
}

// One read can bring a pattern's acknowledgement and messages it covers. Acknowledge the channel first;
// otherwise the gap of a loss would follow the messages that it precedes.
void RedisSubscriber::acknowledge_covered(std::string_view channel) {
  const auto found = channels_.find(channel);
  if (found == channels_.end()) return;
  const Channel& covered = found->second;
  if (covered.is_wanted && !covered.is_acknowledged && covered.unanswered == 0) acknowledge(*found);
}

void RedisSubscriber::forget_acknowledgement(Entry& entry) {
  if (!entry.second.is_acknowledged) return;
  entry.second.is_acknowledged = false;
  --state_.acknowledged;
}

void RedisSubscriber::tell_idle() {
  if (std::exchange(has_told_, false)) listener_.on_idle();
}

}  // namespace weir
