#include "broker/hub/history_query.h"

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "proto/position.h"
#include "proto/sse.h"

namespace weir {

struct HistoryQueries::Answer {
  ChannelStreamPtr stream;
  HistoryQuery query;
  std::function<void(HistoryPage)> done;
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
  std::atomic<bool> has_ended{false};
  StreamId position;
  std::size_t bytes = 0;
  HistoryPage page;

  void miss(std::optional<std::uint64_t> messages) {
    page.missed = page.missed && messages ? std::optional(*page.missed + *messages) : std::nullopt;
  }
  // Adds entries until there are enough. Returns false if there are.
  bool add(const Page& from, std::size_t index) {
    for (; index < from.entries.size(); ++index) {
      const auto& [frame, time] = from.entries[index];
      if (frame->kind() == FrameKind::kGap) {
        miss(frame->gap_missed());
      } else {
        if (page.messages.size() >= query.messages_max) return false;
        if (bytes > 0 && bytes + frame->bytes() > kPageBytesMax) return false;
        bytes += frame->bytes();
        DecodedEvent event = decode_block(block_of_chunk(frame->chunk(Form::kChannel, stream->channel)));
        page.messages.push_back(
            {std::move(event.id), std::move(event.type), data_as_json(event.data, frame->data_kind()), time});
      }
      position = frame->stream_id();
    }
    return page.messages.size() < query.messages_max;
  }
};

void HistoryQueries::answer(ChannelStreamPtr stream, HistoryQuery query,
                            std::function<void(HistoryPage)> done) {
  auto answer = std::make_shared<Answer>();
  answer->stream = std::move(stream);
  answer->query = std::move(query);
  answer->done = std::move(done);
  if (under_way_.fetch_add(1) >= kQueriesMax) {
    return finish(answer, HistoryPage::Outcome::kUnavailable);
  }
  if (!history_.is_readable()) {
    return finish(answer, HistoryPage::Outcome::kUnavailable);
  }
  {
    const MutexLock lock(mutex_);
    answers_.push_back(answer);
  }
  if (!answer->query.after) return read_on(answer);
  const auto parsed = parse_position(*answer->query.after);
  const std::string& channel = answer->stream->channel;
  const auto position =
      parsed ? parsed->of(channel, answer->stream->is_durable(), std::span(&channel, 1)) : std::nullopt;
  if (!position) return finish(answer, HistoryPage::Outcome::kBadId);
  if (!position->is_short) {
    answer->position = position->id;
    return read_on(answer);
  }
  history_.locate(
      answer->stream, {.kind = Wish::Kind::kBirth, .from = position->id},
      [this, answer](const Located& located) { begin_behind(answer, located); },
      [answer] { return !answer->has_ended; });
}

void HistoryQueries::tick(std::chrono::steady_clock::time_point now) {
  std::vector<AnswerPtr> late;
  {
    const MutexLock lock(mutex_);
    std::erase_if(answers_, [&](const std::weak_ptr<Answer>& weak) {
      const AnswerPtr answer = weak.lock();
      if (answer && now - answer->began >= timeout_) late.push_back(answer);
      return !answer || answer->has_ended || now - answer->began >= timeout_;
    });
  }
  for (const AnswerPtr& answer : late) finish(answer, HistoryPage::Outcome::kUnavailable);
}

void HistoryQueries::begin_behind(const AnswerPtr& answer, const Located& located) {
  if (located.is_refused) return finish(answer, HistoryPage::Outcome::kRefused);
  if (located.gap) answer->miss(located.gap->missed);
  answer->position = located.position;
  read_on(answer);
}

void HistoryQueries::read_on(const AnswerPtr& answer) {
  const auto take = [this, answer](const PagePtr& page) {
    if (!page) return finish(answer, HistoryPage::Outcome::kRefused);
    const PageStep step = step_from(*page, answer->position, answer->stream->kind);
    if (step.gap) answer->miss(step.gap->missed);
    answer->position = step.position;
    const bool wants_more = answer->add(*page, step.index);
    if (!wants_more || page->is_last) return finish(answer, HistoryPage::Outcome::kRead);
    read_on(answer);
  };
  // What is at hand may have grown since: the last page is always read.
  const PagePtr page = history_.find(*answer->stream, answer->position);
  if (page && !page->is_last) return take(page);
  history_.read(answer->stream, answer->position, /*is_fresh=*/true, take,
                [answer] { return !answer->has_ended; });
}

void HistoryQueries::finish(const AnswerPtr& answer, HistoryPage::Outcome outcome) {
  if (answer->has_ended.exchange(true)) return;
  under_way_.fetch_sub(1);
  HistoryPage page;
  // One that is late may be read at this moment.
  if (outcome == HistoryPage::Outcome::kRead) page = std::move(answer->page);
  page.outcome = outcome;
  if (outcome == HistoryPage::Outcome::kRead) page.next = format_stream_id(answer->position);
  if (outcome == HistoryPage::Outcome::kUnavailable)
    page.why = "Redis is away, or too many pages are being read";
  answer->done(std::move(page));
}

}  // namespace weir
