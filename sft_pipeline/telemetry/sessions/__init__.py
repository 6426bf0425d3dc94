"""Import of real chat sessions: files that editors and SpecStory write become raw events."""
