#include "broker/bus/redis_streams.h"

#include <cassert>
#include <utility>

#include "broker/base/logging.h"
#include "broker/base/metrics.h"
#include "broker/bus/announcement.h"
#include "redis/redis_reply.h"

namespace weir {

RedisStreams::RedisStreams(asio::io_context& io, const RedisBusOptions& options, JobQueue& queue,
                           RedisSubscriber& subscriber, RedisHistory::OnIdle on_idle)
    : io_(io),
      options_(options),
      queue_(queue),
      subscriber_(subscriber),
      on_idle_(std::move(on_idle)),
      history_(
          io, options, queue, [this](bool is_readable) { on_readable(is_readable); },
          [this] { on_history_idle(); }) {
  subscriber_.set_announcements(*this);
}

void RedisStreams::set_listener(StreamListener& listener) {
  listener_ = &listener;
  follower_.emplace(io_, options_, listener);
}

void RedisStreams::close() {
  if (follower_) follower_->close();
  history_.close();
}

void RedisStreams::subscribe(std::string channel, StreamSource source) {
  queue_.subscribe_stream(std::move(channel), std::move(source));
}
void RedisStreams::unsubscribe(std::string channel) { queue_.unsubscribe_stream(std::move(channel)); }
void RedisStreams::publish(DurableMessage message, Bus::PublishDone done) {
  queue_.publish(std::move(message), std::move(done));
}
void RedisStreams::read(StreamRead read, ReadDone done) { queue_.read(std::move(read), std::move(done)); }
void RedisStreams::follow(std::string_view channel, StreamId after) { follower_->follow(channel, after); }

void RedisStreams::do_job(BusJob job) {
  switch (job.kind) {
    case BusJob::Kind::kSubscribeStream:
      return start(std::move(job.channel), std::move(job.stream->source));
    case BusJob::Kind::kUnsubscribeStream:
      return end(job.channel);
    case BusJob::Kind::kRead:
      return history_.read(std::move(job.stream->read), std::move(job.stream->read_done));
    case BusJob::Kind::kReadRefused:
      is_owed_readable_ = true;
      return job.stream->read_done({.why = "too many reads wait"});
    case BusJob::Kind::kSubscribe:
    case BusJob::Kind::kUnsubscribe:
    case BusJob::Kind::kPublish:
    case BusJob::Kind::kDecided:
      break;
  }
  assert(false);
}

void RedisStreams::flush() {
  history_.flush();
  if (std::exchange(has_told_, false)) on_idle_();
}

void RedisStreams::on_history_idle() {
  // Who was refused a read waits for this.
  if (is_owed_readable_ && history_.is_readable() && queue_.reads_waiting() <= kReadsWaitingMax / 2) {
    is_owed_readable_ = false;
    listener_->on_readable(true);
  }
  on_idle_();
}

void RedisStreams::start(std::string channel, StreamSource source) {
  if (source.kind == StreamSource::Kind::kFollowed) {
    return follower_->subscribe(std::move(channel), std::move(source));
  }
  Channels::value_type& entry = *channels_.try_emplace(std::move(channel)).first;
  entry.second = {};
  subscriber_.subscribe_durable(entry.first);
}

void RedisStreams::end(const std::string& channel) {
  follower_->unsubscribe(channel);
  if (channels_.erase(channel) > 0) subscriber_.unsubscribe_durable(channel);
}

void RedisStreams::on_readable(bool is_readable) {
  if (is_readable) listener_->on_readable(true);
  for (Channels::value_type& entry : channels_) {
    is_readable ? tell_if_subscribed(entry) : tell_lost(entry);
  }
  if (!is_readable) listener_->on_readable(false);
  is_owed_readable_ = false;
  on_idle_();
}

void RedisStreams::on_announcing(std::string_view channel) {
  const auto found = channels_.find(channel);
  if (found == channels_.end()) return;
  found->second.is_announced = true;
  tell_if_subscribed(*found);
}

void RedisStreams::on_announcing_refused(std::string_view channel, std::string_view why) {
  const auto found = channels_.find(channel);
  if (found == channels_.end()) return;
  const std::string name = found->first;
  end(name);
  listener_->on_stream_refused(name, why);
}

void RedisStreams::on_announcements_lost() {
  for (Channels::value_type& entry : channels_) {
    entry.second.is_announced = false;
    tell_lost(entry);
  }
  on_idle_();
}

// Hot path: once per durable message.
void RedisStreams::on_announcement(std::string_view channel, const redisReply& text) {
  const auto found = channels_.find(channel);
  if (found == channels_.end()) return;
  if (text.type != REDIS_REPLY_STRING) return look_for_newest(*found);
  auto entry = parse_announcement(text_of(text), options_.limits.message_bytes_max);
  if (entry) {
    if (found->second.is_told) listener_->on_announced(channel, *std::move(entry));
    return;
  }
  invalid_.add();
  if (std::exchange(has_logged_, true)) return;
  log_warning("redis subscriber: something was published beside weir_publish to the announcements of " +
              found->first + "; it is left out, and no more is said of it");
}

// The announcement was discarded with its id. The newest entry has it, or another announcement tells the next.
void RedisStreams::look_for_newest(Channels::value_type& entry) {
  if (!entry.second.is_told || std::exchange(entry.second.is_looking, true)) return;
  read({.channel = entry.first, .source = {}, .is_downwards = true},
       [this, channel = entry.first](StreamReadResult result) {
         const auto found = channels_.find(channel);
         if (found == channels_.end()) return;
         found->second.is_looking = false;
         if (!found->second.is_told || result.entries.empty()) return;
         listener_->on_announced(channel, std::move(result.entries.front()));
       });
}

void RedisStreams::tell_if_subscribed(Channels::value_type& entry) {
  if (entry.second.is_told || !entry.second.is_announced || !history_.is_readable()) return;
  entry.second.is_told = true;
  has_told_ = true;
  listener_->on_stream_subscribed(entry.first);
}

void RedisStreams::tell_lost(Channels::value_type& entry) {
  if (!std::exchange(entry.second.is_told, false)) return;
  has_told_ = true;
  listener_->on_stream_lost(entry.first);
}

void RedisStreams::collect(MetricsPage& page) const {
  if (follower_) follower_->collect(page);
  page.add(Metric::kRedisRoundTrip, history_.round_trips(), "history");
  page.add(Metric::kHistoryReads, history_.reads().value());
  page.add(Metric::kHistoryReadsWaiting, queue_.reads_waiting());
  page.add(Metric::kInvalidAnnouncements, invalid_.value());
  const FunctionInstaller::Counts& installs = history_.installs();
  page.add(Metric::kFunctionInstalls, installs.present.value(), "present");
  page.add(Metric::kFunctionInstalls, installs.installed.value(), "installed");
  page.add(Metric::kFunctionInstalls, installs.refused.value(), "refused");
  page.add(Metric::kFunctionInstalls, installs.lost.value(), "lost");
}

}  // namespace weir
