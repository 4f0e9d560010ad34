//! The only async loop: performs effects, journals outcomes, resumes and rolls back
