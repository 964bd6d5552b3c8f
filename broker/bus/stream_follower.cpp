#include "broker/bus/stream_follower.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "broker/base/logging.h"
#include "broker/base/metrics.h"

namespace weir {
namespace {

// How long the groups wait in Redis. A stream that waits for the young group is read by itself meanwhile: a
// short wait spares these reads, a long one the questions.
constexpr std::chrono::milliseconds kYoungWait{250};
constexpr std::chrono::milliseconds kOldWait{4'000};
// No group is asked so long after Redis refused one. Reading each of its streams by itself shows which of
// them it is.
constexpr std::chrono::seconds kRefusalPause{1};
// Of the places in all groups together: streams need not fill every group for all to have a place.
constexpr std::size_t kGroupsFilled = StreamFollower::kGroupsMax * 4 / 5;
// All streams are looked at in so many steps.
constexpr std::size_t kLookSteps = 30;

bool was_told(FollowedStream::Phase phase) {
  return phase == FollowedStream::Phase::kSubscribed || phase == FollowedStream::Phase::kFollowing;
}

bool is_older(const StreamLook& look, const StreamLook& known) {
  return look.last < known.last ||
         (look.entries_added && known.entries_added && *look.entries_added < *known.entries_added);
}

// `batch` is whole: the stream's position is behind it.
void move_behind(FollowedStream& stream, const StreamBatch& batch) {
  if (batch.entries.empty()) return;
  stream.entry_bytes = next_entry_bytes(stream.entry_bytes, batch.largest);
  stream.after = batch.entries.back().id;
  stream.known.last = std::max(stream.known.last, stream.after);
  if (!stream.added) return;
  // Fewer than there were, if some were deleted meanwhile.
  *stream.added += batch.entries.size();
  stream.known.entries_added = std::max(stream.known.entries_added.value_or(0), *stream.added);
}

void note_look(FollowedStream& stream, const StreamLook& look) {
  stream.known.last = std::max(stream.known.last, look.last);
  stream.known.entries_added = look.entries_added;
  if (look.last == stream.after) stream.added = look.entries_added;
}

}  // namespace

StreamFollower::StreamFollower(asio::io_context& io, const RedisBusOptions& options, StreamListener& listener)
    : io_(io),
      options_(options),
      listener_(listener),
      beat_timer_(io),
      look_timer_(io),
      poller_(io, options, *this) {}

// --- From the bus

void StreamFollower::subscribe(std::string channel, StreamSource source) {
  if (is_closed_) return;
  if (const StreamPtr before = find(channel)) erase(before);
  auto stream = std::make_shared<FollowedStream>();
  stream->channel = channel;
  stream->key = options_.prefix + source.key;
  stream->source = std::move(source);
  streams_.insert_or_assign(std::move(channel), stream);
  wanted_.set(streams_.size());
  if (!poller_.is_open()) {
    poller_.open();
    connections_.set(1);
  } else if (poller_.is_up()) {
    look_first(stream);
  }
}

void StreamFollower::unsubscribe(std::string_view channel) {
  const StreamPtr stream = find(channel);
  if (!stream) return;
  erase(stream);
  if (streams_.empty()) close_connections();
}

void StreamFollower::follow(std::string_view channel, StreamId after) {
  const StreamPtr stream = find(channel);
  // If it was lost in the meantime, on_stream_subscribed() is still to come.
  if (!stream || !was_told(stream->phase)) return;
  ++stream->turn;
  stream->after = after;
  stream->added.reset();
  if (after == stream->known.last) stream->added = stream->known.entries_added;
  if (after == kStreamBegin) stream->added = 0;
  // Where there was no stream, a position behind 0-0 was not given by one.
  if (stream->known.last != kStreamBegin) stream->known.last = std::max(stream->known.last, after);
  stream->needs_look = after == kStreamBegin || !stream->added;
  set_phase(*stream, Phase::kFollowing);
  stream->added ? poller_.probe(StreamTurn(stream)) : poller_.read(StreamTurn(stream));
}

void StreamFollower::close() {
  is_closed_ = true;
  for (const auto& [channel, stream] : streams_) {
    ++stream->turn;
    set_phase(*stream, Phase::kGone);
  }
  streams_.clear();
  wanted_.set(0);
  close_connections();
}

void StreamFollower::collect(MetricsPage& page) const {
  page.add(Metric::kFollowedStreams, wanted_.value());
  page.add(Metric::kFollowedConnections, connections_.value());
  page.add(Metric::kFollowedCommands, group_asks_.value(), "group");
  page.add(Metric::kFollowedCommands, poller_.reads().value(), "alone");
  page.add(Metric::kFollowedCommands, poller_.looks().value(), "look");
  page.add(Metric::kFollowedMadeAnew, made_anew_.value());
}

// --- Streams

StreamFollower::StreamPtr StreamFollower::find(std::string_view channel) const {
  const auto found = streams_.find(channel);
  return found == streams_.end() ? nullptr : found->second;
}

void StreamFollower::set_phase(FollowedStream& stream, Phase phase) {
  if (was_told(stream.phase)) subscribed_.subtract();
  if (was_told(phase)) subscribed_.add();
  stream.phase = phase;
}

void StreamFollower::erase(const StreamPtr& stream) {
  ++stream->turn;
  set_phase(*stream, Phase::kGone);
  streams_.erase(stream->channel);
  wanted_.set(streams_.size());
}

void StreamFollower::look_first(const StreamPtr& stream) {
  ++stream->turn;
  set_phase(*stream, Phase::kLooking);
  poller_.look(StreamTurn(stream));
}

void StreamFollower::on_poller_up() {
  arm_looks();
  for (const auto& [channel, stream] : streams_) look_first(stream);
}

void StreamFollower::on_poller_down() {
  close_groups();
  to_look_.clear();
  std::vector<StreamPtr> lost;
  for (const auto& [channel, stream] : streams_) {
    if (was_told(stream->phase)) lost.push_back(stream);
    ++stream->turn;
    set_phase(*stream, Phase::kAway);
  }
  for (const StreamPtr& stream : lost) {
    if (stream->phase != Phase::kGone) listener_.on_stream_lost(stream->channel);
  }
}

void StreamFollower::on_looked(const StreamTurn& turn, const StreamLook& known, const StreamLook& look) {
  FollowedStream& stream = *turn.stream;
  if (stream.phase == Phase::kLooking) {
    // It may have been made anew while Redis was away.
    if (is_older(look, stream.known)) return begin_anew(turn.stream, look);
    stream.known = look;
    set_phase(stream, Phase::kSubscribed);
    return listener_.on_stream_subscribed(stream.channel);
  }
  if (is_older(look, known)) return begin_anew(turn.stream, look);
  note_look(stream, look);
  // Entries that were trimmed as they came have woken no group.
  const bool can_tell = stream.phase == Phase::kFollowing && stream.added && look.entries_added;
  if (can_tell && !is_whole(stream, {}, look)) tell_hole(turn.stream);
}

void StreamFollower::begin_anew(const StreamPtr& stream, const StreamLook& look) {
  log_info("redis stream " + stream->key + " was deleted or made anew: it is read from its beginning");
  made_anew_.add();
  const std::uint64_t turn = ++stream->turn;
  stream->known = look;
  set_phase(*stream, Phase::kSubscribed);
  listener_.on_stream_made_anew(stream->channel);
  if (stream->turn == turn) listener_.on_stream_subscribed(stream->channel);
}

void StreamFollower::on_refused(const StreamTurn& turn, std::string_view why) {
  const StreamPtr stream = turn.stream;
  log_warning("redis stream " + stream->key + " is refused: " + std::string(why));
  erase(stream);
  listener_.on_stream_refused(stream->channel, why);
  if (streams_.empty()) close_connections();
}

void StreamFollower::tell_hole(const StreamPtr& stream) {
  stream->told = stream->after;
  const std::uint64_t turn = ++stream->turn;
  set_phase(*stream, Phase::kSubscribed);
  listener_.on_stream_lost(stream->channel);
  if (stream->turn == turn) listener_.on_stream_subscribed(stream->channel);
}

void StreamFollower::on_probed(const StreamTurn& turn, bool has_news) {
  has_news ? poller_.read(turn) : wait_for_group(turn);
}

void StreamFollower::on_polled(const StreamTurn& turn, StreamBatch batch) {
  if (!batch.has_before) {
    turn.stream->needs_look = true;
    return poller_.read(turn);
  }
  move_behind(*turn.stream, batch);
  deliver(turn, std::move(batch));
}

void StreamFollower::on_checked(const StreamTurn& turn, StreamBatch batch, const StreamLook& known,
                                const StreamLook& look) {
  FollowedStream& stream = *turn.stream;
  if (is_older(look, known)) return begin_anew(turn.stream, look);
  if (!is_whole(stream, batch, look)) {
    note_look(stream, look);
    return tell_hole(turn.stream);
  }
  stream.needs_look = !batch.has_before;
  move_behind(stream, batch);
  note_look(stream, look);
  deliver(turn, std::move(batch));
}

void StreamFollower::deliver(const StreamTurn& turn, StreamBatch batch) {
  if (!batch.entries.empty()) {
    listener_.on_followed(turn.stream->channel, std::move(batch.entries));
    if (!turn.is_current()) return;
  }
  batch.is_dry ? wait_for_group(turn) : poller_.read(turn);
}

void StreamFollower::wait_for_group(StreamTurn turn) {
  waiting_.push_back(std::move(turn));
  arm_beat();
}

// --- The beat

void StreamFollower::arm_beat() {
  if (std::exchange(is_beating_, true)) return;
  beat_timer_.expires_after(kBeat);
  beat_timer_.async_wait([this](asio::error_code error) {
    if (error) return;
    is_beating_ = false;
    beat();
  });
}

void StreamFollower::beat() {
  for (const auto& group : groups_) {
    if (group->can_be_asked() && (group->size() > 0 || group.get() == young_)) advance(*group);
  }
  choose_young();
  poll_waiting();
  if (needs_beat()) arm_beat();
}

bool StreamFollower::needs_beat() const {
  if (!waiting_.empty()) return true;
  return std::any_of(groups_.begin(), groups_.end(),
                     [](const auto& group) { return group->can_be_asked() && group->size() > 0; });
}

void StreamFollower::poll_waiting() {
  for (std::size_t left = std::min(waiting_.size(), kPollsPerBeat); left > 0; --left) {
    StreamTurn turn = std::move(waiting_.front());
    waiting_.pop_front();
    if (turn.is_current()) poller_.probe(std::move(turn));
  }
}

// --- Groups

void StreamFollower::on_group_idle(StreamGroup& group, std::vector<StreamTurn> news) {
  // Without news it has waited for its whole time, or it is new.
  if (news.empty()) return advance(group);
  arm_beat();
  for (StreamTurn& turn : news) {
    if (turn.is_current()) poller_.read(std::move(turn));
  }
}

// One of the members may have another type, or be forbidden.
void StreamFollower::on_group_refused(StreamGroup& group, std::vector<StreamTurn> members) {
  no_group_before_ = std::chrono::steady_clock::now() + kRefusalPause;
  close_group(group);
  release(std::move(members));
}

void StreamFollower::on_group_down(StreamGroup& group, std::vector<StreamTurn> members) {
  if (&group != young_) close_group(group);
  // Redis may be another one now.
  for (const StreamTurn& member : members) {
    if (member.is_current()) poller_.look(member);
  }
  release(std::move(members));
}

void StreamFollower::release(std::vector<StreamTurn> members) {
  for (StreamTurn& member : members) {
    if (member.is_current()) wait_for_group(std::move(member));
  }
}

std::size_t StreamFollower::capacity() const {
  return std::max(kGroupStreams, (streams_.size() + kGroupsFilled - 1) / kGroupsFilled);
}

// Asks an idle group again. Requires can_be_asked().
void StreamFollower::advance(StreamGroup& group) {
  group.drop_void_members();
  if (&group != young_ && group.size() < capacity() / 2) {
    if (young_ != nullptr) return release(group.take_members());
    young_ = &group;
  }
  if (&group == young_) {
    fill(group);
    if (group.size() >= capacity()) young_ = nullptr;
  }
  if (group.size() > 0) ask(group);
}

// Streams whose key is in the group already are read by themselves, until the next one is young.
void StreamFollower::fill(StreamGroup& young) {
  std::vector<StreamTurn> left;
  while (!waiting_.empty() && young.size() < capacity()) {
    StreamTurn turn = std::move(waiting_.front());
    waiting_.pop_front();
    if (turn.is_current() && !young.add(turn)) left.push_back(std::move(turn));
  }
  waiting_.insert(waiting_.end(), left.begin(), left.end());
}

void StreamFollower::ask(StreamGroup& group) {
  // The answer comes in time to be the sign of life for which a PING is sent otherwise.
  const std::chrono::milliseconds longest = std::max(kBeat, options_.answer_timeout * 2 / 5);
  group.ask(std::min(&group == young_ ? kYoungWait : kOldWait, longest));
  group_asks_.add();
}

// An empty group if there is one, else a new one. At the limit the smallest, from its next turn on.
void StreamFollower::choose_young() {
  if (young_ != nullptr || waiting_.empty() || std::chrono::steady_clock::now() < no_group_before_) return;
  StreamGroup* closed = nullptr;
  StreamGroup* smallest = nullptr;
  for (const auto& group : groups_) {
    if (!group->is_open()) {
      closed = group.get();
    } else if (smallest == nullptr || group->size() < smallest->size()) {
      smallest = group.get();
    }
  }
  const bool has_empty = smallest != nullptr && smallest->size() == 0;
  if (has_empty || (closed == nullptr && groups_.size() == kGroupsMax)) {
    young_ = smallest;
    if (young_->can_be_asked()) advance(*young_);
    return;
  }
  if (closed == nullptr) {
    StreamGroup::Host& host = *this;
    std::string role = "stream group " + std::to_string(groups_.size() + 1);
    groups_.push_back(std::make_unique<StreamGroup>(io_, options_, std::move(role), host));
    closed = groups_.back().get();
  }
  young_ = closed;
  open_group(*closed);
}

void StreamFollower::open_group(StreamGroup& group) {
  group.open();
  connections_.add();
}

void StreamFollower::close_group(StreamGroup& group) {
  if (!group.is_open()) return;
  if (&group == young_) young_ = nullptr;
  group.close();
  connections_.subtract();
}

void StreamFollower::close_groups() {
  for (const auto& group : groups_) close_group(*group);
  waiting_.clear();
}

void StreamFollower::close_spare_groups() {
  const auto since = std::chrono::steady_clock::now() - options_.stream_look_interval / 3;
  for (const auto& group : groups_) {
    const bool is_spare = group->can_be_asked() && group->size() == 0;
    if (is_spare && group->asked_at() < since) close_group(*group);
  }
}

void StreamFollower::close_connections() {
  close_groups();
  if (poller_.is_open()) poller_.close();
  connections_.set(0);
  to_look_.clear();
  beat_timer_.cancel();
  is_beating_ = false;
  look_timer_.cancel();
}

// --- Looks

void StreamFollower::arm_looks() {
  look_timer_.expires_after(options_.stream_look_interval / kLookSteps);
  look_timer_.async_wait([this](asio::error_code error) {
    if (error || !poller_.is_open()) return;
    look_at_some();
    close_spare_groups();
    arm_looks();
  });
}

// Each stream once in stream_look_interval; less often if Redis does not keep up.
void StreamFollower::look_at_some() {
  if (!poller_.is_up() || poller_.looks_waiting() > 0) return;
  if (to_look_.empty()) {
    for (const auto& [channel, stream] : streams_) to_look_.push_back(stream);
    looks_per_step_ = (to_look_.size() + kLookSteps - 1) / kLookSteps;
  }
  for (std::size_t left = std::min(looks_per_step_, to_look_.size()); left > 0; --left) {
    const StreamPtr stream = std::move(to_look_.front());
    to_look_.pop_front();
    if (was_told(stream->phase)) poller_.look(StreamTurn(stream));
  }
}

}  // namespace weir
